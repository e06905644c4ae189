"""One file of examples. It is a safetensors file, not a `.npz`: plain arrays behind one small header. So nothing in it
can run or unpack to a surprise, the same examples are the same bytes, and one SHA-256 names all a site trains on.

    inputs   uint8 or float32, examples first: n × features, or n × channels × height × width
    labels   int64, n
    mean, std  float32, one number a channel (or one for all): what `inputs` are normalised with
    classes  int64, a single number
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from fl_worker.mendable import Mendable
from fl_worker.metrics import Floats, Integers
from sealed import tensors
from sealed.tensors import Tensor, Tensors

NAMES = {"inputs", "labels", "mean", "std", "classes"}


class DataError(Mendable):
    """The file does not hold examples, or not those that were promised."""


@dataclass(frozen=True, slots=True)
class Examples:
    inputs: Floats  # float32, normalised
    labels: Integers
    classes: int

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Shard:
    """What a site promised to train on: `commitment` is on the ledger, `salt` never leaves the site."""

    sha256: str
    salt: str
    examples: int
    architecture: dict[str, int | str] = field(
        default_factory=dict
    )  # of a model that fits the data, where one is known

    @property
    def commitment(self) -> str:
        return hashlib.sha256(bytes.fromhex(self.salt) + bytes.fromhex(self.sha256)).hexdigest()


def load_examples(path: Path) -> Examples:
    try:
        arrays = tensors.load(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as a data file ({error}); make one with `custody datasets`") from error
    check(path, arrays)
    return Examples(normalised(arrays), arrays["labels"], int(arrays["classes"]))


def check(path: Path, arrays: Tensors) -> None:
    for complaint in complaints(arrays):
        raise DataError(f"{path}: {complaint}")


def complaints(arrays: Tensors) -> Iterator[str]:
    """What is wrong, the first thing first; later ones may only make sense without the earlier."""
    if arrays.keys() != NAMES:
        yield f"it holds {', '.join(sorted(arrays))}; a data file holds {', '.join(sorted(NAMES))}"
    yield from complaints_about_labels(arrays["inputs"], arrays["labels"], arrays["classes"])
    yield from complaints_about_inputs(arrays["inputs"], arrays["mean"], arrays["std"])


def complaints_about_labels(inputs: Tensor, labels: Tensor, classes: Tensor) -> Iterator[str]:
    if labels.dtype != np.int64 or classes.dtype != np.int64 or classes.shape != ():
        yield f"labels must be int64 and classes one int64, not {labels.dtype} and {classes.dtype}"
    if not len(inputs) == len(labels) > 0 or labels.ndim != 1:
        yield f"{len(inputs)} inputs and {len(labels)} labels: both must be as many, and not 0"
    if labels.min() < 0 or labels.max() >= classes:
        yield f"labels are {labels.min()}–{labels.max()}; those of {classes} classes are 0–{classes - 1}"


def complaints_about_inputs(inputs: Tensor, mean: Tensor, std: Tensor) -> Iterator[str]:
    if inputs.dtype not in (np.uint8, np.float32) or inputs.ndim < 2:
        yield f"inputs must be uint8 or float32, n × something, not {inputs.dtype} {inputs.shape}"
    if not np.isfinite(inputs).all():
        yield "some inputs are not numbers (NaN or infinite)"
    if not {mean.shape, std.shape} <= {(1,), (inputs.shape[1],)}:
        yield f"mean has {mean.size} numbers and std {std.size}; {inputs.shape[1]} channels want as many, or 1"
    if not np.isfinite(mean).all() or not np.isfinite(std).all() or not std.all():
        yield "mean and std must be finite and std must not be 0"


def normalised(arrays: Tensors) -> Floats:
    inputs = arrays["inputs"].astype(np.float32)
    per_channel = (-1,) + (1,) * (inputs.ndim - 2)
    return np.asarray((inputs - arrays["mean"].reshape(per_channel)) / arrays["std"].reshape(per_channel))


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shard_path(data: Path) -> Path:
    """`shard.json` lies in the site's own folder, beside the data."""
    return data.with_name("shard.json")


def new_shard(data: Path, examples: int, architecture: Mapping[str, int | str] | None = None) -> Shard:
    return Shard(file_sha256(data), secrets.token_hex(32), examples, dict(architecture or {}))


def write_shard(data: Path, shard: Shard) -> None:
    text = json.dumps({**asdict(shard), "commitment": shard.commitment}, indent=2, sort_keys=True)
    shard_path(data).write_text(text + "\n")
    shard_path(data).chmod(0o600)


def read_shard(data: Path) -> Shard:
    """The commitment that goes with a data file, after checking that the file is still the one committed to."""
    path = shard_path(data)
    if not path.exists():
        raise DataError(f"{path} is missing: commit to the data first with `custody datasets commit {data}`")
    try:
        said = json.loads(path.read_text())
        shard = Shard(str(said["sha256"]), str(said["salt"]), int(said["examples"]), dict(said["architecture"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    check_sha256(data, shard.sha256)
    return shard


def check_sha256(path: Path, expected: str) -> None:
    found = file_sha256(path)
    if found != expected:
        raise DataError(f"{path} has SHA-256 {found}, but {expected} was promised: it is not the file it was")


def batches(count: int, size: int, order: np.random.Generator) -> Iterator[Integers]:
    """Every example once, in an order of its own each time. A last batch of one joins the one before it: batch
    normalisation cannot learn from a single example."""
    shuffled = order.permutation(count)
    starts = list(range(0, count, size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    for start, end in zip(starts, [*starts[1:], count], strict=True):
        yield shuffled[start:end]
