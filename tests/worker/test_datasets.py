"""`custody datasets`: what it writes, what it keeps secret, what it refuses."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fl_worker.data import DataError, load_examples, read_shard
from fl_worker.datasets import main
from fl_worker.sources import mnist_table, pool, read_cifar10, read_idx
from sealed import tensors


def prepare(out: Path, *more: str) -> dict[str, object]:
    assert main(["prepare", "--out", str(out), "--num-clients", "3", *more]) == 0
    metadata: dict[str, object] = json.loads((out / "metadata.json").read_text())
    return metadata


def bytes_of(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*.safetensors")}


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", "7"), ("two", "7"), ("three", "8")):
        prepare(tmp_path / name, "--seed", seed)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two") != bytes_of(tmp_path / "three")


def test_the_files_together_hold_every_digit_once(tmp_path: Path) -> None:
    prepare(tmp_path, "--split", "dirichlet")
    images = [image.tobytes() for file in tmp_path.rglob("*.safetensors") for image in load_examples(file).inputs]
    assert len(images) == 1797


def test_a_commitment_is_the_hash_of_salt_and_file_and_the_salt_stays_at_the_site(tmp_path: Path) -> None:
    prepare(tmp_path)
    data = tmp_path / "site-2/train.safetensors"
    shard = json.loads(data.with_name("shard.json").read_text())
    salted = bytes.fromhex(shard["salt"]) + hashlib.sha256(data.read_bytes()).digest()
    metadata = (tmp_path / "metadata.json").read_text()
    assert shard["commitment"] == hashlib.sha256(salted).hexdigest() == read_shard(data).commitment
    assert shard["commitment"] in metadata
    assert shard["salt"] not in metadata
    assert data.with_name("shard.json").stat().st_mode & 0o77 == 0


def test_preparing_again_keeps_the_commitments(tmp_path: Path) -> None:
    assert prepare(tmp_path) == prepare(tmp_path)


def test_a_smaller_federation_leaves_no_site_of_the_larger_one(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()  # not ours
    prepare(tmp_path, "--num-clients", "5")
    prepare(tmp_path)
    assert sorted(site.name for site in tmp_path.glob("site-*")) == ["site-1", "site-2", "site-3", "site-packages"]


def test_show_draws_the_split_and_finds_a_changed_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tmp_path)
    assert main(["show", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "site-3" in shown
    assert "█" in shown
    with (tmp_path / "validator/test.safetensors").open("r+b") as file:
        file.seek(-1, io.SEEK_END)
        file.write(b"\xff")
    assert main(["show", str(tmp_path)]) == 1
    assert "not the file it was" in capsys.readouterr().err


def test_a_site_commits_to_data_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "scans.safetensors"
    tensors.save(data, {**ONE_EXAMPLE, "labels": np.array([1], np.int64)})
    assert main(["commit", str(data), "--participant", "clinic"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["participant"], entry["sha256"], entry["examples"]) == ("clinic", read_shard(data).commitment, 1)


ONE_EXAMPLE: dict[str, np.ndarray] = {
    "inputs": np.ones((1, 4), np.float32),
    "labels": np.zeros(1, np.int64),
    "mean": np.zeros(1, np.float32),
    "std": np.ones(1, np.float32),
    "classes": np.array(2, np.int64),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([2], np.int64)}, "those of 2 classes are 0–1"),
        ({"labels": np.zeros(2, np.int64)}, "both must be as many"),
        ({"inputs": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64)}, "not 0"),
        ({"inputs": np.full((1, 4), np.nan, np.float32)}, "not numbers"),
        ({"extra": np.zeros(1, np.float32)}, "a data file holds"),
        ({"labels": np.zeros(1, np.float32)}, "labels must be int64"),
        ({"std": np.zeros(1, np.float32)}, "std must not be 0"),
        ({"mean": np.zeros(3, np.float32)}, "mean has 3 numbers"),
    ],
)
def test_a_file_that_holds_no_examples_is_refused(tmp_path: Path, change: dict[str, np.ndarray], message: str) -> None:
    tensors.save(tmp_path / "data.safetensors", {**ONE_EXAMPLE, **change})
    with pytest.raises(DataError, match=message):
        load_examples(tmp_path / "data.safetensors")


def test_a_pickle_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(DataError, match="cannot be read as a data file"):
        load_examples(tmp_path / "data.npz")


def test_a_changed_data_file_no_longer_meets_its_commitment(tmp_path: Path) -> None:
    prepare(tmp_path)
    data, other = (tmp_path / f"site-{n}/train.safetensors" for n in (1, 2))
    data.write_bytes(other.read_bytes())
    with pytest.raises(DataError, match="not the file it was"):
        read_shard(data)


def test_idx_and_cifar_archives_are_read_without_pickle(tmp_path: Path) -> None:
    images = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    with gzip.open(tmp_path / "images.gz", "wb") as file:
        file.write(b"\0\0\x08\x03" + np.array([2, 28, 28], ">u4").tobytes() + images.tobytes())
    assert np.array_equal(read_idx(tmp_path / "images.gz"), images)

    rows = np.arange(6 * 3073, dtype=np.uint32).astype(np.uint8).reshape(6, 3073)
    with tarfile.open(tmp_path / "cifar.tar.gz", "w:gz") as tar:
        for row, name in zip(rows, [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], strict=True):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(row)
            tar.addfile(member, io.BytesIO(row.tobytes()))
    found, labels = read_cifar10(tmp_path / "cifar.tar.gz")
    assert labels.tolist() == rows[:, 0].tolist()
    assert np.array_equal(found[5].reshape(-1), rows[5, 1:])


def test_the_table_of_mnist_5k_is_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 784))
    with gzip.open(tmp_path / "table.csv.gz", "wt") as file:
        np.savetxt(file, np.column_stack([pixels, [7, 0, 9]]), delimiter=",")
    table = mnist_table(tmp_path / "table.csv.gz")
    assert table.labels.tolist() == [7, 0, 9]
    assert np.array_equal(table.inputs.reshape(3, 784), pixels)


def test_a_folder_of_images_becomes_a_federation(tmp_path: Path) -> None:
    order = np.random.default_rng(5)
    for name in ("normal", "pneumonia"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = order.integers(0, 256, (9, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    source = f"folder:{tmp_path / 'images'}"
    metadata = prepare(tmp_path / "out", "--dataset", source, "--image-size", "16", "--channels", "1")
    assert metadata["classes"] == ["normal", "pneumonia"]
    assert load_examples(tmp_path / "out/site-1/train.safetensors").inputs.shape == (8, 1, 16, 16)


def test_an_unknown_data_set_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits, mnist-5k, mnist"):
        pool("mnits", tmp_path, 28, 1)


def test_what_cannot_be_downloaded_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchvision.datasets

    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match=r"put it at .*train-images-idx3-ubyte\.gz yourself"):
        pool("mnist", tmp_path, 28, 1)
