"""One local training: the same arguments give the same bytes, and nothing broken is handed on."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from fl_worker.data import Examples, batches, load_examples
from fl_worker.datasets import main as datasets
from fl_worker.model import UnknownArchitecture, WeightsMismatch, build, dump, initial_weights, load
from fl_worker.train import BadHyperparameters, Hyperparameters, TrainingFailed, seed_of, settle, train
from sealed.tensors import weights_hash

settle()

DIGITS = "mlp-64-64-10"
FAR_TOO_FAST = 2**53 - 1


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    out = tmp_path_factory.mktemp("digits")
    datasets(["prepare", "--out", str(out)])
    return load_examples(out / "site-1/train.safetensors")


def trained(examples: Examples, wish: Mapping[str, object], name: str = DIGITS, seed: int = 3) -> str:
    model = build({"name": name})
    return weights_hash(train(model, initial_weights(name, 1), examples, Hyperparameters.read(wish), seed).weights)


@pytest.mark.parametrize("name", [DIGITS, "small-cnn"])
@pytest.mark.parametrize("wish", [{}, {"optimizer": "adam", "learning_rate_micro": 1000}, {"momentum_micro": 900_000}])
def test_the_same_arguments_give_the_same_weights(examples: Examples, name: str, wish: dict[str, int | str]) -> None:
    assert trained(examples, wish, name) == trained(examples, wish, name)
    assert trained(examples, wish, name) != trained(examples, wish, name, seed=4)


def test_another_process_trains_the_same_weights(examples: Examples, tmp_path: Path) -> None:
    np.savez(tmp_path / "arrays.npz", inputs=examples.inputs, labels=examples.labels)
    program = f"""
import numpy as np
from fl_worker.data import Examples
from fl_worker.model import build, initial_weights
from fl_worker.train import Hyperparameters, settle, train
from sealed.tensors import weights_hash
settle()
arrays = np.load({str(tmp_path / "arrays.npz")!r}, allow_pickle=False)
examples = Examples(arrays["inputs"], arrays["labels"], 10)
model = build({{"name": {DIGITS!r}}})
print(weights_hash(train(model, initial_weights({DIGITS!r}, 1), examples, Hyperparameters(), 3).weights))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == trained(examples, {})


def test_training_learns(examples: Examples) -> None:
    model, base = build({"name": DIGITS}), initial_weights(DIGITS, 1)
    first = train(model, base, examples, Hyperparameters(), 1)
    tenth = train(model, base, examples, Hyperparameters(local_epochs=10), 1)
    assert first.self_reported["loss_micro"] > 2 * tenth.self_reported["loss_micro"]
    assert tenth.self_reported["accuracy_bp"] > 9_000
    assert tenth.examples == len(examples)


def test_fedprox_stays_nearer_to_the_base(examples: Examples) -> None:
    base = initial_weights(DIGITS, 1)

    def distance(mu: int) -> float:
        wish = Hyperparameters(local_epochs=5, fedprox_mu_micro=mu)
        weights = train(build({"name": DIGITS}), base, examples, wish, 1).weights
        return float(np.sqrt(sum(((weights[name] - base[name]) ** 2).sum() for name in base)))

    assert distance(1_000_000) < 0.7 * distance(0)


def test_a_loss_that_is_no_number_ends_the_training(examples: Examples) -> None:
    with pytest.raises(TrainingFailed, match=f"learning_rate_micro {FAR_TOO_FAST} may be too large"):
        trained(examples, {"learning_rate_micro": FAR_TOO_FAST})


def test_no_examples_end_the_training() -> None:
    nothing = Examples(np.zeros((0, 64), np.float32), np.zeros(0, np.int64), 10)
    with pytest.raises(TrainingFailed, match="0 examples"):
        trained(nothing, {})


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"learning_rate": 1}, "learning_rate is not a hyperparameter of this worker"),
        ({"optimizer": "lion"}, "there are sgd, adam"),
        ({"local_epochs": 0}, "must be 1 or more"),
        ({"batch_size": "32"}, "not an integer"),
        ({"momentum_micro": -1}, "must not be negative"),
    ],
)
def test_hyperparameters_of_another_training_are_refused(wish: dict[str, object], message: str) -> None:
    with pytest.raises(BadHyperparameters, match=message):
        Hyperparameters.read(wish)


@pytest.mark.parametrize(("count", "sizes"), [(10, [4, 4, 2]), (9, [4, 5]), (1, [1]), (4, [4])])
def test_batches_hold_every_example_once_and_none_is_alone(count: int, sizes: list[int]) -> None:
    picked = list(batches(count, 4, np.random.default_rng(1)))
    assert [len(batch) for batch in picked] == sizes
    assert sorted(np.concatenate(picked).tolist()) == list(range(count))


def test_seeds_differ_by_model_round_and_participant() -> None:
    seeds = {seed_of(model, number, site) for model in "ab" for number in (1, 2) for site in ("x", "y")}
    assert len(seeds) == 8


@pytest.mark.parametrize(
    ("name", "parameters"),
    [(DIGITS, 4_810), ("simple-cnn", 421_642), ("resnet18", None), ("mobilenet_v3_small", None), ("small-cnn", None)],
)
def test_weights_leave_and_enter_a_model_exactly(name: str, parameters: int | None) -> None:
    weights = initial_weights(name, 1)
    model = build({"name": name})
    load(model, weights)
    assert weights_hash(dump(model)) == weights_hash(weights) == weights_hash(initial_weights(name, 1))
    assert parameters in (None, sum(array.size for array in weights.values()))
    assert weights_hash(initial_weights(name, 2)) != weights_hash(weights)


@pytest.mark.parametrize("name", ["small-cnn", "mobilenet_v3_small", "efficientnet_b0", "resnet18"])
def test_image_models_train_the_same_weights_twice(name: str) -> None:
    order = np.random.default_rng(1)
    pictures = Examples(order.normal(size=(5, 3, 32, 32)).astype(np.float32), order.integers(0, 4, 5), 4)
    architecture = {"name": name, "num_classes": 4, "in_channels": 3}
    base, wish = initial_weights(architecture, 1), Hyperparameters(batch_size=2, learning_rate_micro=1000)
    once, again = (weights_hash(train(build(architecture), base, pictures, wish, 1).weights) for _ in range(2))
    assert once == again != weights_hash(base)


def test_another_models_weights_are_refused() -> None:
    with pytest.raises(WeightsMismatch, match=r"1\.bias is \[32\] float32, the model has \[64\] float32"):
        load(build({"name": DIGITS}), initial_weights("mlp-64-32-10", 1))


@pytest.mark.parametrize("name", ["", "mlp", "mlp-64", "mlp-0-10", "mlp-64-x-10", "resnet9000"])
def test_an_unknown_architecture_is_refused(name: str) -> None:
    with pytest.raises(UnknownArchitecture):
        build({"name": name})
