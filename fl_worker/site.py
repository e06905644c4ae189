"""What a site does in its own way. A site's file may define any of four functions; the rest stays as it is here.

model(architecture) -> torch.nn.Module
data(path) -> fl_worker.data.Examples
train(model, base, examples, wish, seed, report) -> fl_worker.train.Trained
score(model, weights, examples) -> dict of integers
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType

from torch import nn

from fl_worker.data import Examples, load_examples
from fl_worker.mendable import Mendable
from fl_worker.metrics import Metrics
from fl_worker.model import Architecture, build
from fl_worker.scoring import score_weights
from fl_worker.train import Hyperparameters, Report, Trained, train
from sealed.tensors import Tensors


class SiteError(Mendable):
    """The site's file cannot be used."""


@dataclass(frozen=True, slots=True)
class Site:
    model: Callable[[Architecture], nn.Module] = build
    data: Callable[[Path], Examples] = load_examples
    train: Callable[[nn.Module, Tensors, Examples, Hyperparameters, int, Report], Trained] = train
    score: Callable[[nn.Module, Tensors, Examples], Metrics] = score_weights


def load_site(path: Path | None) -> Site:
    if path is None:
        return Site()
    module = imported(path)
    own = {
        field.name: getattr(module, field.name) for field in fields(Site) if callable(getattr(module, field.name, None))
    }
    if not own:
        raise SiteError(f"{path} defines none of {', '.join(field.name for field in fields(Site))}")
    return replace(Site(), **own)


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{path.stem}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise SiteError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
