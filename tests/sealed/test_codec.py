"""Codecs: what is decoded is what was encoded, as far as the codec keeps it, and only what the base leads to expect."""

import base64
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from golden.blobs import weights_of_seed
from sealed import codec
from sealed.codec import (
    UPDATE_CODECS,
    VERSION_CODECS,
    CodecError,
    decode_update,
    decode_version,
    encode_update,
    encode_version,
    read_update,
)
from sealed.records import Record, encode, number_at, parse, records_at
from sealed.tensors import DTYPES, Tensors, spec_of, weights_hash
from tests.campaigns import Campaign
from tests.sealed.models import like, moved, small
from tests.sealed.models import tensors as some_tensors

GOLDEN: Any = json.loads((Path(__file__).resolve().parents[2] / "golden" / "sealed.json").read_text("ascii"))
TRAINED = [code for code in DTYPES if code not in (2, 3)]


def same(one: Tensors, other: Tensors) -> bool:
    return spec_of(one) == spec_of(other) and weights_hash(one) == weights_hash(other)


def parts(plaintext: bytes) -> tuple[Record, bytes]:
    length = int.from_bytes(plaintext[4:8], "little")
    return parse(plaintext[8 : 8 + length], 10**6), plaintext[8 + length :]


def joined(header: Record, frames: bytes) -> bytes:
    encoded = encode(header)
    return codec.MAGIC + len(encoded).to_bytes(4, "little") + encoded + frames


def with_entry(plaintext: bytes, **changes: object) -> bytes:
    """The plaintext with another claim about its first tensor."""
    header, frames = parts(plaintext)
    records_at(header, "tensors")[0].update(changes)  # type: ignore[arg-type]
    return joined(header, frames)


def with_frame(plaintext: bytes, frame: bytes) -> bytes:
    """The plaintext with another frame for its first tensor."""
    header, frames = parts(plaintext)
    entry = records_at(header, "tensors")[0]
    rest = frames[number_at(entry, "size") :]
    entry["size"] = len(frame)
    return joined(header, frame + rest)


@given(st.data())
def test_versions_are_decoded_as_they_were(data: st.DataObject) -> None:
    weights = data.draw(some_tensors(list(DTYPES)))
    base = data.draw(like(weights))
    assert same(decode_version(encode_version("whole.1", weights, None), None, None), weights)
    assert same(decode_version(encode_version("whole.1", weights, None), None, spec_of(weights)), weights)
    assert same(decode_version(encode_version("xor.1", weights, base), base, None), weights)


@given(st.data(), st.sampled_from(UPDATE_CODECS))
def test_updates_are_decoded_within_what_their_codec_keeps(data: st.DataObject, name: str) -> None:
    base = data.draw(some_tensors(TRAINED))
    trained = data.draw(like(base))
    found = decode_update(encode_update(name, trained, base), base)
    assert spec_of(found) == spec_of(base)
    for tensor, value in found.items():
        assert_close(name, value, trained[tensor], base[tensor])


def assert_close(name: str, found: Any, trained: Any, base: Any) -> None:
    if base.dtype == np.bool_:
        np.testing.assert_array_equal(found, trained ^ base)
        return
    exact = trained.reshape(-1) - base.reshape(-1)
    if base.dtype != np.float32 or base.ndim < 2 or name == "xor.1":
        np.testing.assert_array_equal(found.reshape(-1), exact)
    elif name == "bf16.1":
        np.testing.assert_allclose(found.reshape(-1), exact, rtol=2**-8, atol=1e-40)
    else:
        largest = np.abs(exact).max(initial=0)
        np.testing.assert_allclose(found.reshape(-1), exact, rtol=0, atol=largest / 254 * 1.001 + 1e-35)


@pytest.mark.parametrize("name", UPDATE_CODECS)
@pytest.mark.parametrize("elements", [255, 256, 257, 65_535, 65_536, 65_537, 131_072, 200_000])
def test_blocks_meet_without_a_seam(name: str, elements: int) -> None:
    base: Tensors = {"w": np.zeros((1, elements), np.float32), "v": np.zeros(elements, np.float32)}
    trained = moved(base, 1)
    differences = read_update(encode_update(name, trained, base), base)
    for tensor in base:
        assert_close(name, differences[tensor], trained[tensor], base[tensor])
        assert np.concatenate(list(differences.blocks(tensor))).tobytes() == differences[tensor].tobytes()


def test_lazy_differences_are_the_decoded_ones() -> None:
    base = small()
    plaintext = encode_update("bf16.1", moved(base, 1), base)
    lazy = read_update(plaintext, base)
    assert len(lazy) == len(base)
    assert same(dict(lazy), decode_update(plaintext, base))
    lazy.refuse_unless(spec_of(base))
    with pytest.raises(CodecError):
        lazy.refuse_unless(spec_of({**base, "more": np.zeros(1, np.float32)}))


@pytest.mark.parametrize("vector", GOLDEN["codecs"], ids=lambda v: v["codec"])
def test_vectors_are_decoded(vector: dict[str, Any]) -> None:
    base, plaintext = weights_of_seed(1), base64.b64decode(vector["plaintext"])
    assert weights_hash(base) == GOLDEN["base"]["weights"]
    if "weights" in vector:
        weights = decode_version(plaintext, None if vector["codec"] == "whole.1" else base, spec_of(base))
        assert weights_hash(weights) == vector["weights"] == weights_hash(weights_of_seed(2))
    if "differences" in vector:
        decoded = decode_update(plaintext, base)
        assert {name: value.tobytes().hex() for name, value in decoded.items()} == vector["differences"]


def test_bf16_rounds_halves_to_even() -> None:
    base: Tensors = {"w": np.zeros((1, 4), np.float32)}
    bits = np.array([[0x3F808000, 0x3F818000, 0x3F808001, 0xBF808000]], np.uint32)
    found = decode_update(encode_update("bf16.1", {"w": bits.view(np.float32)}, base), base)["w"].view(np.uint32)
    assert [f"{one:08x}" for one in found[0]] == ["3f800000", "3f820000", "3f810000", "bf800000"]


def test_a_tensor_of_one_dimension_loses_nothing() -> None:
    base: Tensors = {"bias": np.zeros(300, np.float32), "scale": np.array(0, np.float32)}
    trained = moved(base, 1)
    for name in UPDATE_CODECS:
        assert same(decode_update(encode_update(name, trained, base), base), trained)


def test_sizes_are_what_was_promised() -> None:
    """421,642 parameters, dense: 0.9 MB in bf16, 0.45 MB in int8."""
    shapes = {"a": (32, 1, 3, 3), "b": (64, 32, 3, 3), "c": (128, 3136), "d": (10, 128), "e": (234,)}
    base: Tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    assert sum(value.size for value in base.values()) == 421_642
    trained = moved(base, 1)
    assert len(encode_update("bf16.1", trained, base)) < 900_000
    assert len(encode_update("int8.1", trained, base)) < 450_000


def test_frames_are_the_same_at_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    base: Tensors = {f"w{n}": np.zeros((64, 64), np.float32) for n in range(20)}
    trained = moved(base, 1)
    alone = encode_update("bf16.1", trained, base)
    monkeypatch.setattr(codec, "WORTH_THREADS", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert encode_update("bf16.1", trained, base) == alone


@pytest.mark.parametrize("name", UPDATE_CODECS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1024.0, -1024.0, 3e38])
@pytest.mark.parametrize("tensor", ["conv.weight", "conv.bias"])
def test_differences_out_of_bounds_are_not_encoded(name: str, value: float, tensor: str) -> None:
    base, trained = small(), small()
    base[tensor].reshape(-1)[3], trained[tensor].reshape(-1)[3] = 0, value
    if name == "xor.1" and np.isfinite(value):
        with pytest.raises(CodecError):
            decode_update(encode_update(name, trained, base), base)
        return
    with pytest.raises(CodecError):
        encode_update(name, trained, base)


@pytest.mark.parametrize("name", UPDATE_CODECS)
def test_just_below_the_bound_is_kept_unless_rounding_reaches_it(name: str) -> None:
    base: Tensors = {"w": np.zeros((2, 2), np.float32)}
    trained: Tensors = {"w": np.full((2, 2), 1020, np.float32)}
    np.testing.assert_allclose(decode_update(encode_update(name, trained, base), base)["w"], 1020, rtol=1e-2)
    if name == "bf16.1":
        with pytest.raises(CodecError):
            encode_update(name, {"w": np.full((2, 2), np.nextafter(np.float32(1024), np.float32(0)))}, base)


@pytest.mark.parametrize("name", VERSION_CODECS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_versions_with_nan_or_infinity_are_not_encoded(name: str, value: float, dtype: Any) -> None:
    with pytest.raises(CodecError):
        encode_version(name, {"w": np.array([value], dtype)}, {"w": np.zeros(1, dtype)})


def bits_of(value: float) -> bytes:
    return np.array([value], np.float32).tobytes()


FORGED: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "NaN in a whole version": (
        "whole.1",
        lambda count: bytes(2 * count) + bytes([0xC0]) * count + bytes([0x7F]) * count,
    ),
    "infinity in a diff": ("xor.1", lambda count: bytes(2 * count) + bytes([0x80]) * count + bytes([0x7F]) * count),
    "NaN in bf16": ("bf16.1", lambda count: bytes([0xC0]) * count + bytes([0x7F]) * count),
    "infinity in bf16": ("bf16.1", lambda count: bytes([0x80]) * count + bytes([0x7F]) * count),
    "1024 in bf16": ("bf16.1", lambda count: bytes([0x80]) * count + bytes([0x44]) * count),
    "-1024 in bf16": ("bf16.1", lambda count: bytes([0x80]) * count + bytes([0xC4]) * count),
    "a scale of NaN": ("int8.1", lambda count: bits_of(np.nan) + bytes(count)),
    "a scale of infinity, and parts of 0": ("int8.1", lambda count: bits_of(np.inf) + bytes(count)),
    "a scale that takes a part to 1024": ("int8.1", lambda count: bits_of(8) + bytes([0x80]) * count),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_an_honest_encoder_never_writes_is_refused(what: str) -> None:
    name, forge = FORGED[what]
    base: Tensors = {"w": np.zeros((4, 9), np.float32)}
    if name in VERSION_CODECS:
        plaintext = encode_version(name, base, base)
        bad = with_frame(plaintext, zstandard.compress(forge(36)))
        with pytest.raises(CodecError):
            decode_version(bad, base, None)
    else:
        bad = with_frame(encode_update(name, base, base), zstandard.compress(forge(36)))
    if name != "whole.1":
        with pytest.raises(CodecError):
            decode_update(bad, base)


def test_a_bool_is_0_or_1() -> None:
    base: Tensors = {"mask": np.array([True, False])}
    for name, base_of in (("whole.1", None), ("xor.1", base)):
        bad = with_frame(encode_version(name, base, base_of), zstandard.compress(b"\x02\x01"))
        with pytest.raises(CodecError):
            decode_version(bad, base_of, spec_of(base))
    with pytest.raises(CodecError):
        decode_update(with_frame(encode_update("bf16.1", base, base), zstandard.compress(b"\x02\x01")), base)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
@pytest.mark.parametrize("name", ["bf16.1", "int8.1"])
def test_only_float32_is_trained(dtype: Any, name: str) -> None:
    base: Tensors = {"w": np.zeros((2, 2), dtype)}
    with pytest.raises(CodecError):
        encode_update(name, base, base)


def wrong_models() -> dict[str, Tensors]:
    base = small()
    missing = {name: value for name, value in base.items() if name != "mask"}
    return {
        "missing": missing,
        "extra": {**base, "zzz": np.zeros(1, np.float32)},
        "renamed": {**missing, "mask2": base["mask"]},
        "shape": {**base, "fc.weight": np.zeros((300, 10), np.float32)},
        "flat": {**base, "fc.weight": np.zeros(3000, np.float32)},
        "dtype": {**base, "norm.batches": np.array(0, np.int32)},
        "float": {**base, "norm.batches": np.array(0, np.float32)},
        "empty": {},
    }


@pytest.mark.parametrize("what", wrong_models())
def test_models_of_another_make_are_refused(what: str) -> None:
    base, wrong = small(), wrong_models()[what]
    for name in UPDATE_CODECS:
        with pytest.raises(CodecError):
            encode_update(name, wrong, base)
        with pytest.raises(CodecError):
            decode_update(encode_update(name, wrong, wrong), base)
    with pytest.raises(CodecError):
        encode_version("xor.1", wrong, base)
    with pytest.raises(CodecError):
        decode_version(encode_version("xor.1", wrong, wrong), base, None)
    with pytest.raises(CodecError):
        decode_version(encode_version("whole.1", wrong, None), None, spec_of(base))


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [4, 3, 4]}, {"shape": [36]}, {"shape": []}, {"shape": [2**40, 2**40]}, {"shape": [1] * 9},
        {"dtype": 2}, {"dtype": 4}, {"dtype": 0}, {"dtype": 11}, {"dtype": "1"}, {"name": "conv.bios"}, {"name": ""},
        {"size": 0}, {"name": "x" * 257}, {"size": 2**40}, {"size": 2**53 - 1}, {"size": 1}, {"more": 1},
        {"shape": [-36]},
    ],
    ids=str,
)  # fmt: skip
def test_headers_that_claim_something_else_are_refused(changes: dict[str, object]) -> None:
    base = small()
    plaintext = with_entry(encode_update("bf16.1", moved(base, 1), base), **changes)
    with pytest.raises(CodecError):
        decode_update(plaintext, base)
    whole = with_entry(encode_version("whole.1", base, None), **changes)
    with pytest.raises(CodecError):
        decode_version(whole, None, spec_of(base))


def test_codecs_do_not_stand_in_for_each_other() -> None:
    base = small()
    update, version = encode_update("bf16.1", moved(base, 1), base), encode_version("whole.1", base, None)
    with pytest.raises(CodecError):
        decode_version(update, base, None)
    with pytest.raises(CodecError):
        decode_update(version, base)
    with pytest.raises(CodecError):
        decode_version(encode_version("xor.1", base, base), None, spec_of(base))
    for name in ("whole.1", "gzip.1", ""):
        with pytest.raises(CodecError):
            encode_update(name, base, base)
    for name in ("bf16.1", "int8.1", "gzip.1"):
        with pytest.raises(CodecError):
            encode_version(name, base, base)
    with pytest.raises(CodecError):
        encode_version("xor.1", base, None)


def test_frames_that_are_not_what_they_declare_are_refused() -> None:
    base: Tensors = {"w": np.zeros((64, 64), np.float32)}
    plaintext, size = encode_update("bf16.1", base, base), 2 * 64 * 64
    undeclared = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(size))
    frames = {
        "a bomb": zstandard.compress(bytes(10**8)),
        "a byte more": zstandard.compress(bytes(size + 1)),
        "a byte less": zstandard.compress(bytes(size - 1)),
        "nothing": zstandard.compress(b""),
        "without its size": undeclared,
        "two frames": zstandard.compress(bytes(size)) + zstandard.compress(bytes(size)),
        "something after": zstandard.compress(bytes(size)) + b"x",
        "cut": zstandard.compress(bytes(size))[:-3],
        "no frame": b"\0" * 40,
        "gzip": b"\x1f\x8b\x08\x00" + bytes(40),
    }
    for frame in frames.values():
        with pytest.raises(CodecError):
            decode_update(with_frame(plaintext, frame), base)


def test_a_frame_that_lies_about_its_size_is_refused() -> None:
    base: Tensors = {"w": np.zeros((64, 64), np.float32)}
    plaintext = encode_update("bf16.1", base, base)
    bomb = bytearray(zstandard.compress(bytes(10**8)))
    assert zstandard.get_frame_parameters(bytes(bomb)).content_size == 10**8
    size = (10**8).to_bytes(4, "little")
    where = bytes(bomb).index(size)
    bomb[where : where + 4] = (2 * 64 * 64).to_bytes(4, "little")
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode_update(with_frame(plaintext, bytes(bomb)), base)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_a_header_longer_than_the_model_needs_is_refused_before_it_is_parsed() -> None:
    base: Tensors = {"\U0001f600" * 256: np.zeros((1,) * 8, np.float32)}
    assert same(decode_update(encode_update("bf16.1", base, base), base), base)
    for filler in (b"[" * 10**6, b" " * 10**6, b'{"a":' * 10**5):
        plaintext = codec.MAGIC + len(filler).to_bytes(4, "little") + filler
        with pytest.raises(CodecError, match="longer"):
            decode_update(plaintext, base)


def test_overflowing_differences_are_refused_and_not_warned_about() -> None:
    largest = np.finfo(np.float32).max
    base: Tensors = {"w": np.full((2, 2), -largest), "v": np.full(3, -largest)}
    trained: Tensors = {"w": np.full((2, 2), largest), "v": np.full(3, largest)}
    for name in ("bf16.1", "int8.1"):
        with pytest.raises(CodecError):
            encode_update(name, trained, base)
    with pytest.raises(CodecError):
        decode_update(encode_update("xor.1", trained, base), base)


def test_a_model_larger_than_any_is_refused_before_it_is_allocated() -> None:
    whole = encode_version("whole.1", {"w": np.zeros((2, 2), np.float32)}, None)
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode_version(with_entry(whole, shape=[2**30, 2**30]), None, None)
        with pytest.raises(CodecError):
            decode_version(with_entry(whole, shape=[2**31, 1]), None, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_tensors_must_be_sorted_and_come_once() -> None:
    plaintext = encode_version("whole.1", small(), None)
    header, frames = parts(plaintext)
    entries = records_at(header, "tensors")
    for order in (entries[::-1], [entries[0], *entries]):
        with pytest.raises(CodecError):
            decode_version(joined({**header, "tensors": list(order)}, frames), None, None)


def test_no_flipped_bit_or_cut_breaks_the_reader(campaign: Campaign) -> None:
    """What a thief of a key could make of a plaintext: the reader refuses it, or decodes something within bounds."""
    base = small()
    plaintext = encode_update("bf16.1", moved(base, 1), base)
    for case in range(campaign("codec bit flips", sampled=400, full=5000)):
        position = case * 2_654_435_761 % (len(plaintext) * 8)
        changed = bytearray(plaintext)
        changed[position // 8] ^= 1 << position % 8
        for bad in (bytes(changed), plaintext[: position // 8], plaintext + bytes(case % 5 + 1)):
            try:
                found = decode_update(bad, base)
            except CodecError:
                continue
            assert spec_of(found) == spec_of(base)
            assert all(np.isfinite(value).all() for value in found.values())


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for bad in (data, codec.MAGIC + data, codec.MAGIC + len(data).to_bytes(4, "little") + data):
        with pytest.raises(CodecError):
            decode_update(bad, small())
        with pytest.raises(CodecError):
            decode_version(bad, None, None)
