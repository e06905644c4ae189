"""Named tensors: their hash, which is the identity of a set of weights, and their file (safetensors, never pickle)."""

import hashlib
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from sealed.files import put_in_place

Tensor: TypeAlias = NDArray[Any]
Tensors: TypeAlias = dict[str, Tensor]

# 4 is bfloat16, which numpy lacks: it lives inside a codec, never in a model.
DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("<f8"),
    3: np.dtype("<f2"),
    5: np.dtype("<i8"),
    6: np.dtype("<i4"),
    7: np.dtype("<i2"),
    8: np.dtype("i1"),
    9: np.dtype("u1"),
    10: np.dtype("?"),
}
FLOAT32 = 1
UNTRAINED = frozenset({2, 3})  # floats for which no update has a difference
_CODES = {dtype: code for code, dtype in DTYPES.items()}
MOST_DIMENSIONS = 8


class TensorError(ValueError):
    """Tensors of a kind, shape or value that a model does not have."""


class Spec(NamedTuple):
    """What a tensor must look like before its first byte is read."""

    name: str
    dtype: int
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def nbytes(self) -> int:
        return self.elements * DTYPES[self.dtype].itemsize


def spec_of(tensors: Mapping[str, Tensor]) -> tuple[Spec, ...]:
    return tuple(Spec(name, dtype_code(tensors[name]), tensors[name].shape) for name in sorted(tensors))


def dtype_code(tensor: Tensor) -> int:
    code = _CODES.get(tensor.dtype.newbyteorder("<"))
    if code is None:
        raise TensorError(f"{tensor.dtype} is not a dtype of a model")
    return code


def weights_hash(tensors: Mapping[str, Tensor]) -> str:
    hasher = hashlib.sha256()
    for name in sorted(tensors):
        hasher.update(_head(name, tensors[name]))
        hasher.update(raw_bytes(tensors[name]))
    return hasher.hexdigest()


def raw_bytes(tensor: Tensor) -> memoryview:
    """Little-endian, C order; a view of the tensor's own memory where it is already so."""
    return _ordered(tensor).reshape(-1).view(np.uint8).data


def load(path: Path | str) -> Tensors:
    try:
        found = load_file(path)
    except (SafetensorError, OSError, KeyError, AttributeError, TypeError) as error:
        raise TensorError(f"{path}: {error}") from error
    for tensor in found.values():
        dtype_code(tensor)
    return found


def save(path: Path | str, tensors: Mapping[str, Tensor]) -> None:
    with put_in_place(Path(path)) as partial:
        save_file({name: _ordered(tensors[name]) for name in sorted(tensors)}, partial)


def check_like(tensors: Mapping[str, Tensor], spec: tuple[Spec, ...]) -> None:
    if spec_of(tensors) != spec:
        raise TensorError("; ".join(_differences(tensors, spec)))


def _differences(tensors: Mapping[str, Tensor], spec: tuple[Spec, ...]) -> Iterator[str]:
    expected = {wanted.name: wanted for wanted in spec}
    for name in sorted(tensors.keys() | expected.keys()):
        if name not in expected or name not in tensors:
            yield f"{name} is {'missing' if name in expected else 'unknown'}"
        elif tensors[name].shape != expected[name].shape or dtype_code(tensors[name]) != expected[name].dtype:
            yield f"{name} is {tensors[name].dtype}{list(tensors[name].shape)}"


def _head(name: str, tensor: Tensor) -> bytes:
    encoded = name.encode()
    code, shape = dtype_code(tensor), tensor.shape
    return struct.pack(f"<I{len(encoded)}sBB{len(shape)}Q", len(encoded), encoded, code, len(shape), *shape)


def _ordered(tensor: Tensor) -> Tensor:
    """Not `ascontiguousarray`: it makes a counter without dimensions one-dimensional."""
    return np.asarray(tensor, tensor.dtype.newbyteorder("<"), order="C")
