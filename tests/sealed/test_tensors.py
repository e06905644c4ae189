"""Tensors: one hash for the same weights, however they lie in memory, and files that appear whole or not at all."""

import hashlib
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from safetensors.numpy import save_file

from sealed import tensors
from sealed.tensors import DTYPES, Spec, TensorError, Tensors, load, save, spec_of, weights_hash
from tests.sealed.models import small
from tests.sealed.models import tensors as some_tensors


def test_the_hash_is_the_one_that_the_format_describes() -> None:
    weights: Tensors = {"é": np.array([[1, 2, 3]], np.float32), "a": np.array(5, np.int64)}
    described = struct.pack("<I1sBBq", 1, b"a", 5, 0, 5)
    described += struct.pack("<I2sBBQQ3f", 2, "é".encode(), 1, 2, 1, 3, 1, 2, 3)
    assert weights_hash(weights) == hashlib.sha256(described).hexdigest()


def test_no_tensors_have_a_hash() -> None:
    assert weights_hash({}) == hashlib.sha256(b"").hexdigest()


@given(some_tensors(list(DTYPES)))
def test_neither_order_nor_memory_matters(weights: Tensors) -> None:
    backwards = dict(reversed(weights.items()))
    swapped = {name: value.astype(value.dtype.newbyteorder(">")) for name, value in weights.items()}
    strided = {name: np.repeat(value[..., None], 2, axis=-1)[..., 0] for name, value in weights.items()}
    fortran = {name: np.asfortranarray(value).reshape(value.shape) for name, value in weights.items()}
    for same in (backwards, swapped, strided, fortran):
        assert weights_hash(same) == weights_hash(weights)
        assert spec_of(same) == spec_of(weights)


def test_everything_else_matters() -> None:
    weights: Tensors = {"a": np.zeros((2, 3), np.float32)}
    others: list[Tensors] = [
        {"b": np.zeros((2, 3), np.float32)},
        {"a": np.zeros((3, 2), np.float32)},
        {"a": np.zeros((2, 3), np.int32)},
        {"a": np.full((2, 3), -0.0, np.float32)},
        {"a": np.zeros((2, 3), np.float32), "b": np.zeros(0, np.float32)},
        {},
    ]
    hashes = {weights_hash(other) for other in [weights, *others]}
    assert len(hashes) == len(others) + 1


@given(some_tensors(list(DTYPES)))
def test_weights_are_saved_and_loaded(weights: Tensors) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save(path, weights)
        assert spec_of(load(path)) == spec_of(weights)
        assert weights_hash(load(path)) == weights_hash(weights)
        assert list(path.parent.iterdir()) == [path]


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    save(tmp_path / "one", small())
    save(tmp_path / "two", dict(reversed(small().items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "weights", small())
    before = (tmp_path / "weights").read_bytes()

    def full_disk(_values: Any, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(tensors, "save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save(tmp_path / "weights", small(1))
    assert (tmp_path / "weights").read_bytes() == before
    assert list(tmp_path.iterdir()) == [tmp_path / "weights"]


@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", b"\xff" * 100, (2**40).to_bytes(8, "little") + b"{}"])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(TensorError):
        load(tmp_path / "weights")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TensorError):
        load(tmp_path / "none")


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64])
def test_dtypes_that_no_model_has_are_refused(tmp_path: Path, dtype: Any) -> None:
    save_file({"a": np.zeros(3, dtype)}, tmp_path / "weights")
    with pytest.raises(TensorError):
        load(tmp_path / "weights")
    for strange in (np.zeros(1, np.complex64), np.array(["text"]), np.array([None])):
        with pytest.raises(TensorError):
            weights_hash({"a": strange})


def test_differences_from_a_spec_are_told() -> None:
    expected = (Spec("a", 1, (2,)), Spec("b", 1, (2,)), Spec("c", 1, (2,)))
    found: Tensors = {"a": np.zeros(2, np.float32), "b": np.zeros((2, 1), np.float32), "d": np.zeros(2, np.float32)}
    with pytest.raises(TensorError, match=r"b is float32\[2, 1\]; c is missing; d is unknown"):
        tensors.check_like(found, expected)
