"""Models by name. An architecture is what `model.1` says: a name and, for images, `num_classes` and `in_channels`."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from torch import nn

from fl_worker.mendable import Mendable
from sealed.tensors import Tensors

Architecture = Mapping[str, object]


class UnknownArchitecture(Mendable):
    """No model has this name, or its sizes make no sense."""


class WeightsMismatch(Mendable):
    """The weights are another architecture's."""


def mlp(sizes: list[int]) -> nn.Module:
    """`mlp-64-32-10`: 64 inputs, a hidden layer of 32, ten classes."""
    layers: list[nn.Module] = [nn.Flatten()]
    for narrow, wide in pairwise(sizes[:-1]):
        layers += [nn.Linear(narrow, wide), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class SimpleCNN(nn.Module):
    """Two convolutions and two linear layers for 28×28 images: 421,642 parameters at one channel and ten classes."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(64 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = nn.functional.max_pool2d(self.conv1(images).relu(), 2)
        maps = nn.functional.max_pool2d(self.conv2(maps).relu(), 2)
        return cast(torch.Tensor, self.fc2(self.fc1(maps.flatten(1)).relu()))


class SmallCNN(nn.Module):
    """Three convolutions with batch normalisation for images of 8×8 and more."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        widths = [in_channels, 16, 32, 64]
        self.blocks = nn.Sequential(*(conv_block(a, b) for a, b in pairwise(widths)))
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        # A mean over both sides, not adaptive pooling: that has no deterministic gradient on a GPU.
        return cast(torch.Tensor, self.head(self.blocks(images).mean(dim=(2, 3))))


def conv_block(channels: int, wider: int) -> nn.Module:
    convolution = nn.Conv2d(channels, wider, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(wider), nn.ReLU(), nn.MaxPool2d(2))


def from_torchvision(name: str) -> Callable[[int, int], nn.Module]:
    def build(num_classes: int, in_channels: int) -> nn.Module:
        import torchvision

        model: nn.Module = torchvision.models.get_model(name, weights=None, num_classes=num_classes)
        if in_channels != 3:
            replace_first_convolution(model, in_channels)
        return model

    return build


def replace_first_convolution(model: nn.Module, in_channels: int) -> None:
    name, first = next((name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d))
    owner, _, attribute = name.rpartition(".")
    kernel, stride, padding = first.kernel_size, first.stride, first.padding
    convolution = nn.Conv2d(
        in_channels,
        first.out_channels,
        cast(tuple[int, int], kernel),
        cast(tuple[int, int], stride),
        cast(tuple[int, int], padding),
        bias=first.bias is not None,
    )
    setattr(model.get_submodule(owner), attribute, convolution)


IMAGE_MODELS: dict[str, Callable[[int, int], nn.Module]] = {
    "simple-cnn": SimpleCNN,
    "small-cnn": SmallCNN,
    "mobilenet_v3_small": from_torchvision("mobilenet_v3_small"),
    "efficientnet_b0": from_torchvision("efficientnet_b0"),
    "resnet18": from_torchvision("resnet18"),
    "resnet50": from_torchvision("resnet50"),
}


def build(architecture: Architecture) -> nn.Module:
    name = str(architecture.get("name", ""))
    if name.startswith("mlp-"):
        return mlp(sizes_of(name))
    if name not in IMAGE_MODELS:
        known = ", ".join(["mlp-IN-HIDDEN-OUT", *IMAGE_MODELS])
        raise UnknownArchitecture(f"no model is called {name!r}; there are {known}, or your own with --site FILE.py")
    return IMAGE_MODELS[name](whole(architecture, "num_classes", 10), whole(architecture, "in_channels", 1))


def parse_architecture(text: str) -> dict[str, int | str]:
    """`simple-cnn,in_channels=3` as a record has it."""
    name, *fields = text.split(",")
    pairs = [field.partition("=") for field in fields]
    wrong = [field for field, _, value in pairs if not value.isdecimal()]
    if wrong:
        raise UnknownArchitecture(f"{text!r}: say {wrong[0]}=NUMBER")
    return {"name": name, **{field: int(value) for field, _, value in pairs}}


def sizes_of(name: str) -> list[int]:
    parts = name.split("-")[1:]
    if len(parts) < 2 or not all(part.isdecimal() and 0 < int(part) <= 65536 for part in parts):
        raise UnknownArchitecture(f"{name!r}: say the widths of all layers, such as mlp-64-64-10")
    return [int(part) for part in parts]


def whole(architecture: Architecture, field: str, default: int) -> int:
    number = architecture.get(field, default)
    if not isinstance(number, int) or not 1 <= number <= 65536:
        raise UnknownArchitecture(f"architecture {architecture.get('name')!r}: {field} is {number!r}, not 1–65536")
    return number


def initial_weights(
    architecture: Architecture | str, seed: int, make: Callable[[Architecture], nn.Module] = build
) -> Tensors:
    """The weights that version 0 holds; the same seed gives the same bytes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dump(make({"name": architecture} if isinstance(architecture, str) else architecture))


def dump(model: nn.Module) -> Tensors:
    return {name: copied(tensor) for name, tensor in model.state_dict().items()}


def copied(tensor: torch.Tensor) -> np.ndarray:
    return np.array(tensor.detach().cpu().numpy(), order="C", copy=True)


def load(model: nn.Module, weights: Tensors) -> None:
    """Puts the weights into the model, refusing names, shapes or kinds of number that are not the model's own."""
    own = {name: f"{list(t.shape)} {t.dtype}".replace("torch.", "") for name, t in model.state_dict().items()}
    given = {name: f"{list(array.shape)} {array.dtype}" for name, array in weights.items()}
    if own != given:
        raise WeightsMismatch(f"these are another model's weights: {first_difference(own, given)}")
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})


def first_difference(own: Mapping[str, str], given: Mapping[str, str]) -> str:
    name = min(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    return f"{name} is {given.get(name, 'missing')}, the model has {own.get(name, 'no such tensor')}"
