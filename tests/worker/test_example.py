"""The example of a site's own module, on pictures made here."""

from pathlib import Path

import numpy as np
import pytest

from fl_worker.__main__ import main as worker
from fl_worker.data import Examples
from fl_worker.model import initial_weights
from fl_worker.site import SiteError, load_site
from fl_worker.train import Hyperparameters, quiet, settle
from sealed import tensors
from sealed.tensors import weights_hash

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "chest_xray" / "site.py"
ARCHITECTURE = {"name": "small-cnn", "num_classes": 2, "in_channels": 1}

settle()


def pictures(count: int = 12) -> Examples:
    order = np.random.default_rng(1)
    labels = np.array([0] * (count - 3) + [1] * 3, np.int64)
    return Examples(order.normal(size=(count, 1, 16, 16)).astype(np.float32), labels, 2)


def test_the_example_varies_its_pictures_and_still_trains_the_same_weights_twice() -> None:
    site = load_site(EXAMPLE)
    base, wish = initial_weights(ARCHITECTURE, 1), Hyperparameters(batch_size=4)
    once, again, other = (
        site.train(site.model(ARCHITECTURE), base, pictures(), wish, seed, quiet) for seed in (1, 1, 2)
    )
    assert weights_hash(once.weights) == weights_hash(again.weights) != weights_hash(other.weights)
    assert once.examples == 12


def test_the_commands_of_the_example_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = pictures()
    constants: dict[str, np.ndarray] = {
        "mean": np.zeros(1, np.float32),
        "std": np.ones(1, np.float32),
        "classes": np.array(2, np.int64),
    }
    data = tmp_path / "train.safetensors"
    tensors.save(data, {"inputs": examples.inputs, "labels": examples.labels, **constants})
    named = ["--site", str(EXAMPLE), "--architecture", "small-cnn,num_classes=2", "--set", "batch_size=4"]
    assert worker(["train-once", "--data", str(data), *named, "--out", str(tmp_path / "w.safetensors")]) == 0
    assert weights_hash(tensors.load(tmp_path / "w.safetensors")) in capsys.readouterr().out


@pytest.mark.parametrize(("text", "reason"), [("x = 1\n", "defines none of"), (None, "is not a Python file")])
def test_a_file_that_is_no_site_is_refused(tmp_path: Path, text: str | None, reason: str) -> None:
    if text is not None:
        (tmp_path / "site.py").write_text(text)
    with pytest.raises(SiteError, match=reason):
        load_site(tmp_path / "site.py")
