"""One tensor as the content of a frame: shuffled bytes, and what a codec keeps of a difference (docs/sealed.md).

Decoding comes in blocks, so that a reader who adds up differences never holds a second copy of the tensor.
Every array here has one dimension.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sealed.tensors import DTYPES, FLOAT32, UNTRAINED, Spec, Tensor

BLOCK = 65_536
SCALED = 256  # differences that share a scale in int8.1

Bytes: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
_SIGN_OFF = np.uint32(0x7FFFFFFF)
_LIMIT_BYTE = 0x44  # its first byte
_LIMIT_BITS = np.uint32(0x44800000)  # of 2^10; those of infinities and NaN lie above


class CodecError(ValueError):
    """A plaintext, or a difference, that does not fit the base or the format."""


class _Form(NamedTuple):
    size: Callable[[Spec], int]
    encode: Callable[[Tensor, Tensor], Bytes]
    decode: Callable[[Spec, Bytes, Tensor], Iterator[Tensor]]


def content_bytes(codec: str, spec: Spec) -> int:
    return _form(codec, spec).size(spec)


def encode_content(codec: str, spec: Spec, weights: Tensor, base: Tensor) -> Bytes:
    return _form(codec, spec).encode(flat(weights), flat(base))


def decode_content(codec: str, spec: Spec, content: bytes, base: Tensor) -> Iterator[Tensor]:
    """The elements in order; `content` was found to have the right size."""
    return _form(codec, spec).decode(spec, np.frombuffer(content, np.uint8), base)


def differences_to(weights: Iterator[Tensor], base: Tensor) -> Iterator[Tensor]:
    """What a lossless update says as differences: rounded to float32, as in every other update."""
    start, rest = 0, flat(base)
    for block in weights:
        yield subtract(block, rest[start : start + len(block)])
        start += len(block)


def subtract(weights: Tensor, base: Tensor) -> Tensor:
    """Integers wrap; a bool that differs is true; a float32 must have come less than 2^10 far."""
    if weights.dtype == np.bool_:
        return np.logical_xor(weights, base)
    with np.errstate(over="ignore", invalid="ignore"):
        difference: Tensor = weights - base
    return checked(difference) if difference.dtype == np.float32 else difference


def add(base: Tensor, difference: Tensor) -> Tensor:
    return np.logical_xor(base, difference) if base.dtype == np.bool_ else base + difference


def checked(differences: Floats) -> Floats:
    if differences.size and (differences.view(np.uint32) & _SIGN_OFF).max() >= _LIMIT_BITS:
        raise CodecError("a difference of 2^10 or more, an infinity or a NaN")
    return differences


def flat(tensor: Tensor) -> Tensor:
    return np.asarray(tensor, tensor.dtype.newbyteorder("<"), order="C").reshape(-1)


def _form(codec: str, spec: Spec) -> _Form:
    if codec in _LOSSLESS:
        return _LOSSLESS[codec]
    if spec.dtype in UNTRAINED:
        raise CodecError(f"{spec.name}: {DTYPES[spec.dtype]} is not trained; only float32 is")
    if spec.dtype == FLOAT32 and len(spec.shape) >= 2:
        return _LOSSY[codec]
    return _DIFFERENCE


def _encode_raw(weights: Tensor, _base: Tensor) -> Bytes:
    return _shuffled(_possible(weights))


def _decode_raw(spec: Spec, content: Bytes, _base: Tensor) -> Iterator[Tensor]:
    for block in _unshuffled(spec, content):
        yield _possible(block)


def _encode_xor(weights: Tensor, base: Tensor) -> Bytes:
    return _shuffled(np.bitwise_xor(_bits(_possible(weights)), _bits(base)))


def _decode_xor(spec: Spec, content: Bytes, base: Tensor) -> Iterator[Tensor]:
    start, bits = 0, _bits(flat(base))
    for block in _unshuffled(spec, content):
        mixed = _bits(block) ^ bits[start : start + len(block)]
        start += len(block)
        yield _possible(mixed.view(block.dtype))


def _encode_difference(weights: Tensor, base: Tensor) -> Bytes:
    return _shuffled(subtract(weights, base))


def _decode_difference(spec: Spec, content: Bytes, _base: Tensor) -> Iterator[Tensor]:
    for block in _unshuffled(spec, content):
        yield checked(block) if spec.dtype == FLOAT32 else _possible(block)


def _encode_bf16(weights: Tensor, base: Tensor) -> Bytes:
    planes = np.empty((2, len(weights)), np.uint8)
    for start in range(0, len(weights), BLOCK):
        stop = start + BLOCK
        halves = _rounded(subtract(weights[start:stop], base[start:stop]))
        planes[0, start:stop] = halves.astype(np.uint8)
        planes[1, start:stop] = (halves >> 8).astype(np.uint8)
    return planes.reshape(-1)


def _rounded(differences: Floats) -> NDArray[np.uint32]:
    """The upper half of each float32, rounded to nearest even."""
    bits = differences.view(np.uint32)
    halves: NDArray[np.uint32] = bits >> np.uint32(16)
    halves &= 1
    halves += 0x7FFF
    halves += bits
    checked((halves & np.uint32(0xFFFF0000)).view(np.float32))
    halves >>= 16
    return halves


def _decode_bf16(spec: Spec, content: Bytes, _base: Tensor) -> Iterator[Tensor]:
    low, high = content.reshape(2, spec.elements)
    for start in range(0, spec.elements, BLOCK):
        bits = high[start : start + BLOCK].astype(np.uint32)
        bits <<= 8
        bits |= low[start : start + BLOCK]
        bits <<= 16
        block = bits.view(np.float32)
        yield checked(block) if (high[start : start + BLOCK] & 0x7F).max() >= _LIMIT_BYTE else block


def _encode_int8(weights: Tensor, base: Tensor) -> Bytes:
    padded = np.zeros(_scales(len(weights)) * SCALED, np.float32)
    padded[: len(weights)] = subtract(weights, base)
    rows = padded.reshape(-1, SCALED)
    scales = np.abs(rows).max(axis=1) / np.float32(127)
    # A scale that is no normal number is too coarse to divide by: differences that small become 0.
    scales[scales < np.finfo(np.float32).tiny] = 0
    steps = np.divide(rows, scales[:, None], out=np.zeros_like(rows), where=scales[:, None] > 0)
    parts = np.rint(steps).astype(np.int8).reshape(-1)[: len(weights)]
    return np.concatenate([scales.astype("<f4").view(np.uint8), parts.view(np.uint8)])


def _decode_int8(spec: Spec, content: Bytes, _base: Tensor) -> Iterator[Tensor]:
    scales = content[: 4 * _scales(spec.elements)].view("<f4")
    parts = content[4 * len(scales) :].view(np.int8)
    for start in range(0, spec.elements, BLOCK):
        block = parts[start : start + BLOCK].astype(np.float32)
        each = np.repeat(scales[start // SCALED : (start + BLOCK) // SCALED], SCALED)
        with np.errstate(invalid="ignore", over="ignore"):
            block *= each[: len(block)]
        yield checked(block)


def _scales(elements: int) -> int:
    return -(-elements // SCALED)


def _possible(block: Tensor) -> Tensor:
    if block.dtype.kind == "f" and not np.isfinite(block).all():
        raise CodecError("an infinity or a NaN")
    if block.dtype == np.bool_ and block.size and block.view(np.uint8).max() > 1:
        raise CodecError("a bool that is neither 0 nor 1")
    return block


def _shuffled(elements: Tensor) -> Bytes:
    """Byte i of every element together: the bytes of exponents resemble each other, and compress."""
    width = elements.dtype.itemsize
    rows = elements.view(np.uint8).reshape(-1, width)
    planes = np.empty((width, len(elements)), np.uint8)
    for place in range(width):
        planes[place] = rows[:, place]
    return planes.reshape(-1)


def _unshuffled(spec: Spec, content: Bytes) -> Iterator[Tensor]:
    dtype = DTYPES[spec.dtype]
    planes = content.reshape(dtype.itemsize, spec.elements)
    for start in range(0, spec.elements, BLOCK):
        part = planes[:, start : start + BLOCK]
        rows = np.empty((part.shape[1], dtype.itemsize), np.uint8)
        for place in range(dtype.itemsize):
            rows[:, place] = part[place]
        yield rows.reshape(-1).view(dtype)


def _bits(elements: Tensor) -> NDArray[Any]:
    return elements.view(_UNSIGNED[elements.dtype.itemsize])


def _bytes(spec: Spec) -> int:
    return spec.nbytes


_LOSSLESS = {
    "whole.1": _Form(_bytes, _encode_raw, _decode_raw),
    "xor.1": _Form(_bytes, _encode_xor, _decode_xor),
}
_LOSSY = {
    "bf16.1": _Form(lambda spec: 2 * spec.elements, _encode_bf16, _decode_bf16),
    "int8.1": _Form(lambda spec: 4 * _scales(spec.elements) + spec.elements, _encode_int8, _decode_int8),
}
_DIFFERENCE = _Form(_bytes, _encode_difference, _decode_difference)
