"""Weights and base to plaintext and back. Only decoding is normative: compressed bytes are never compared.

A reader knows names, shapes and dtypes beforehand and refuses everything else before it allocates.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import zstandard

from sealed.elements import CodecError, content_bytes, decode_content, differences_to, encode_content
from sealed.kinds import Kind, array, fields, integer, one_of, text
from sealed.records import Record, RecordError, encode, list_at, number_at, parse, records_at, text_at
from sealed.schemas import UPDATE_CODECS, VERSION_CODECS
from sealed.tensors import DTYPES, MOST_DIMENSIONS, Spec, Tensor, TensorError, Tensors, check_like, spec_of

__all__ = [
    "UPDATE_CODECS", "VERSION_CODECS", "CodecError", "Differences", "decode_update", "decode_version", "encode_update",
    "encode_version", "read_update",
]  # fmt: skip

MAGIC = b"FLT1"
LARGEST_HEADER = 16 * 1024 * 1024
LARGEST_MODEL = 16 * 1024**3  # bytes, of a model about which nothing was known beforehand
WORTH_THREADS = 8 * 1024**2
MOST_THREADS = 4
_LEVEL = 1

_threads = threading.local()
_HEADER: Kind = fields(
    {
        "codec": one_of(*{*UPDATE_CODECS, *VERSION_CODECS}),
        "tensors": array(
            fields(
                {
                    "dtype": integer(min(DTYPES), max(DTYPES)),
                    "name": text(r"(?s:.){1,256}", "a name of at most 256 characters"),
                    "shape": array(integer(0), 0, MOST_DIMENSIONS),
                    "size": integer(1),
                }
            )
        ),
    }
)


class Source(Protocol):
    """A plaintext that is read in parts: one in memory, or a sealed one that is opened where it is read."""

    @property
    def size(self) -> int: ...

    def read(self, start: int, stop: int) -> bytes: ...


class _Memory:
    def __init__(self, data: bytes) -> None:
        self._view, self.size = memoryview(data), len(data)

    def read(self, start: int, stop: int) -> bytes:
        return bytes(self._view[start:stop])


class Differences(Mapping[str, Tensor]):
    """The differences of an update, decoded anew wherever they are read."""

    def __init__(self, source: Source, base: Tensors) -> None:
        self._frames = _Frames(source, UPDATE_CODECS, spec_of(base))
        self._base = base

    def blocks(self, name: str) -> Iterator[Tensor]:
        """The same elements in order, flat, some tens of thousands at a time."""
        spec = self._frames.specs[name]
        blocks = self._frames.blocks(spec, self._base[name])
        return differences_to(blocks, self._base[name]) if self._frames.codec in VERSION_CODECS else blocks

    def refuse_unless(self, expected: tuple[Spec, ...]) -> None:
        _refuse_unexpected(list(self._frames.specs.values()), expected)

    def __getitem__(self, name: str) -> Tensor:
        return _assembled(self._frames.specs[name], self.blocks(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames.specs)

    def __len__(self) -> int:
        return len(self._frames.specs)


def encode_update(codec: str, trained: Tensors, base: Tensors) -> bytes:
    if codec not in UPDATE_CODECS:
        raise CodecError(f"{codec} is no codec of updates")
    return _encode(codec, trained, base)


def decode_update(data: bytes, base: Tensors) -> Tensors:
    return dict(read_update(data, base))


def read_update(source: Source | bytes, base: Tensors) -> Differences:
    return Differences(_Memory(source) if isinstance(source, bytes) else source, base)


def encode_version(codec: str, weights: Tensors, base: Tensors | None) -> bytes:
    if codec not in VERSION_CODECS or (base is None and codec != "whole.1"):
        raise CodecError(f"{codec} is no codec of versions, or needs a base")
    return _encode(codec, weights, weights if base is None else base)


def decode_version(data: bytes, base: Tensors | None, spec: tuple[Spec, ...] | None) -> Tensors:
    """`spec` is what the weights must look like; without it, as for a genesis, the header says so within bounds."""
    expected = spec_of(base) if base is not None else spec
    frames = _Frames(_Memory(data), VERSION_CODECS, expected)
    if base is None and frames.codec != "whole.1":
        raise CodecError(f"{frames.codec} needs a base")
    return {name: _assembled(one, frames.blocks(one, _base(base, one))) for name, one in frames.specs.items()}


class _Frames:
    """A plaintext whose header is the expected one and whose frames add up to its length."""

    def __init__(self, source: Source, codecs: Sequence[str], expected: tuple[Spec, ...] | None) -> None:
        header, start = _read_header(source, _longest_header(expected))
        self.codec = text_at(header, "codec")
        if self.codec not in codecs:
            raise CodecError(f"{self.codec} is not one of {' '.join(codecs)}")
        entries = records_at(header, "tensors")
        self.specs = {spec.name: spec for spec in map(_spec, entries)}
        _refuse_unexpected(list(map(_spec, entries)), expected)
        self._source = source
        self._where: dict[str, tuple[int, int]] = {}
        for entry in entries:
            stop = start + number_at(entry, "size")
            self._where[text_at(entry, "name")] = (start, stop)
            start = stop
        if start != source.size:
            raise CodecError(f"{source.size} bytes, its header makes it {start}")

    def blocks(self, spec: Spec, base: Tensor) -> Iterator[Tensor]:
        return decode_content(self.codec, spec, self._content(spec), base)

    def _content(self, spec: Spec) -> bytes:
        frame, expected = self._source.read(*self._where[spec.name]), content_bytes(self.codec, spec)
        try:
            claimed = zstandard.get_frame_parameters(frame).content_size
            if claimed != expected:
                raise CodecError(f"{spec.name}: {claimed} bytes, not {expected}")
            return _decompressor().decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise CodecError(f"{spec.name}: {error}") from error


def _longest_header(expected: tuple[Spec, ...] | None) -> int:
    """A reader who knows the tensors also knows how long it takes to name them: 12 bytes a character at most."""
    if expected is None:
        return LARGEST_HEADER
    return 64 + sum(64 + 12 * len(spec.name) + 20 * (len(spec.shape) + 1) for spec in expected)


def _read_header(source: Source, limit: int) -> tuple[Record, int]:
    start = len(MAGIC) + 4
    if source.size < start or source.read(0, len(MAGIC)) != MAGIC:
        raise CodecError("not FLT1")
    stop = start + int.from_bytes(source.read(len(MAGIC), start), "little")
    if stop > min(source.size, start + limit):
        raise CodecError("its header is longer than a header, or than the plaintext")
    try:
        header = parse(source.read(start, stop), limit)
        _HEADER(header, "header")
    except RecordError as error:
        raise CodecError(str(error)) from error
    return header, stop


def _spec(entry: Record) -> Spec:
    shape = tuple(size for size in list_at(entry, "shape") if isinstance(size, int))
    dtype = number_at(entry, "dtype")
    if dtype not in DTYPES:
        raise CodecError(f"{dtype} is not the dtype of a tensor")
    return Spec(text_at(entry, "name"), dtype, shape)


def _refuse_unexpected(found: list[Spec], expected: tuple[Spec, ...] | None) -> None:
    names = [spec.name for spec in found]
    if names != sorted(set(names)):
        raise CodecError("tensors out of order, or one twice")
    if expected is not None and tuple(found) != expected:
        strange = sorted({spec.name for spec in set(found) ^ set(expected)})
        raise CodecError(f"other tensors than the base has: {', '.join(strange[:8])}")
    if expected is None and sum(spec.nbytes for spec in found) > LARGEST_MODEL:
        raise CodecError("a model larger than any we hold")


def _encode(codec: str, weights: Tensors, base: Tensors) -> bytes:
    try:
        check_like(weights, spec_of(base))
    except TensorError as error:
        raise CodecError(str(error)) from error
    specs = spec_of(weights)
    frames = _each(lambda spec: _frame(codec, spec, weights[spec.name], base[spec.name]), specs)
    entries = [
        {"dtype": spec.dtype, "name": spec.name, "shape": list(spec.shape), "size": len(frame)}
        for spec, frame in zip(specs, frames, strict=True)
    ]
    header = encode({"codec": codec, "tensors": entries})
    return b"".join([MAGIC, len(header).to_bytes(4, "little"), header, *frames])


def _frame(codec: str, spec: Spec, weights: Tensor, base: Tensor) -> bytes:
    return _compressor().compress(encode_content(codec, spec, weights, base).data)


def _each(work: Callable[[Spec], bytes], specs: Sequence[Spec]) -> list[bytes]:
    """Frames do not depend on each other, so the bytes are the same at any number of threads."""
    threads = os.cpu_count() or 1
    if threads == 1 or sum(spec.nbytes for spec in specs) < WORTH_THREADS:
        return list(map(work, specs))
    with ThreadPoolExecutor(min(threads, MOST_THREADS)) as pool:
        return list(pool.map(work, specs))


def _assembled(spec: Spec, blocks: Iterator[Tensor]) -> Tensor:
    whole = np.empty(spec.elements, DTYPES[spec.dtype])
    start = 0
    for block in blocks:
        whole[start : start + len(block)] = block
        start += len(block)
    return whole.reshape(spec.shape)


def _base(base: Tensors | None, spec: Spec) -> Tensor:
    return np.empty(0, DTYPES[spec.dtype]) if base is None else base[spec.name]


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_threads, "compressor"):
        _threads.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
    found: zstandard.ZstdCompressor = _threads.compressor
    return found


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_threads, "decompressor"):
        _threads.decompressor = zstandard.ZstdDecompressor()
    found: zstandard.ZstdDecompressor = _threads.decompressor
    return found
