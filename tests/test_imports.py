"""Imports point inwards (ARCHITECTURE.md): held here over every file, by reading and not by running them."""

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Which of our own modules may a part import? Parts meet in `sealed`, and in the client of the gateway's API. The
# commands lie outside of all parts; nothing imports them.
PARTS = {
    "sealed": ("sealed",),
    "custody": ("custody", "fl_worker", "gateway", "sealed", "verifier"),
    "custody.client": ("sealed",),
    "gateway": ("gateway", "sealed", "custody.client"),
    "fl_worker": ("fl_worker", "sealed", "custody.client"),
    "verifier": ("verifier", "sealed"),
}

# Which libraries may it import? A part that is not named may import any but torch, which is the worker's alone.
ARITHMETIC_AND_FORMATS = {"cryptography", "numpy", "safetensors", "zstandard"}
LIBRARIES = {"sealed": ARITHMETIC_AND_FORMATS, "verifier": ARITHMETIC_AND_FORMATS}
TORCH = {"torch", "torchvision"}

# The gateway's layers, by the longest name that fits. Blob stores and task queues are adapters: chosen by name in the
# settings, so app.py alone knows them. Ledger and database have one implementation each, chosen by address; they, and
# the two interfaces, are what the pipeline may see of the world. What is not named is a step of the pipeline.
LAYERS = {
    "gateway.provenance": "provenance",
    "gateway.bell": "port",
    "gateway.blobs": "port",
    "gateway.blobs.": "adapter",
    "gateway.database": "port",
    "gateway.kept_db": "port",
    "gateway.ledger": "port",
    "gateway.lineage_db": "port",
    "gateway.projection": "port",
    "gateway.tasks": "port",
    "gateway.tasks.": "adapter",
    "gateway.api": "api",
    "gateway.ui": "api",
    "gateway.settings": "settings",
    "gateway.app": "app",
    "gateway.__main__": "main",
}
INWARDS = {
    "provenance": set[str](),
    "port": {"provenance"},
    "adapter": {"port", "provenance"},
    "pipeline": {"port", "provenance"},
    "api": {"pipeline", "port", "provenance"},
    "settings": set[str](),
    "app": {"settings", "adapter", "api", "pipeline", "port", "provenance"},
    "main": {"app", "settings", "pipeline", "port", "provenance"},
}

# What would let the pure part look at the world.
WORLD = {"os", "pathlib", "io", "socket", "subprocess", "time", "random", "secrets", "httpx2", "sqlalchemy", "fastapi"}

# Reading these formats runs what they contain.
RUNS_WHAT_IT_READS = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package.rstrip('.')}.")


def longest_fitting(module: str, names: Iterable[str]) -> str:
    return max((name for name in names if within(module, name)), key=len, default="")


def layer(module: str) -> str:
    return LAYERS.get(longest_fitting(module, LAYERS), "pipeline")


def imported(tree: ast.AST, ours: set[str]) -> Iterator[str]:
    """Each imported module; `from package import name` counts as package.name where that is a module of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield name if (name := f"{node.module}.{alias.name}") in ours else str(node.module)


def unsafe(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="torch"), attr="load"):
                yield "loads with torch what may run code"
            case ast.ImportFrom(module="torch", names=names) if any(alias.name == "load" for alias in names):
                yield "loads with torch what may run code"
            case ast.ImportFrom(level=level) if level > 0:
                yield "imports by a relative name"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield "lets numpy run what it reads"


def against_parts(module: str, target: str) -> Iterator[str]:
    part = longest_fitting(module, PARTS)
    ours = longest_fitting(target, PARTS)
    if part and ours and not any(within(target, allowed) for allowed in PARTS[part]):
        yield f"{part} may not import {target}"


def against_libraries(module: str, target: str) -> Iterator[str]:
    part, top = module.partition(".")[0], target.partition(".")[0]
    if top in RUNS_WHAT_IT_READS:
        yield f"imports {top}"
    if part not in PARTS or top in PARTS or top in sys.stdlib_module_names:
        return
    if top not in LIBRARIES.get(part, {top}) or (top in TORCH and part != "fl_worker"):
        yield f"{part} may not import {top}"


def against_layers(module: str, target: str) -> Iterator[str]:
    if not within(module, "gateway"):
        return
    if layer(module) == "provenance" and target.partition(".")[0] in WORLD:
        yield f"provenance is pure and may not import {target}"
    allowed = {layer(module), *INWARDS[layer(module)]}
    if target.startswith("gateway.") and layer(target) not in allowed:
        yield f"{layer(module)} may not import {target} ({layer(target)})"


def violations(module: str, source: str, ours: set[str]) -> list[str]:
    tree = ast.parse(source)
    rules = (against_parts, against_libraries, against_layers)
    found = {told for target in imported(tree, ours) for rule in rules for told in rule(module, target)}
    return sorted(found | set(unsafe(tree)))


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(file): file
    for folder in ("custody", "fl_worker", "gateway", "sealed", "verifier", "tests", "bench", "migrations", "setup")
    for file in sorted((ROOT / folder).rglob("*.py"))
}


OURS = {"gateway.aggregation", "gateway.blobs.folder", "gateway.ledger", "custody.client"}


@pytest.mark.parametrize("module", FILES)
def test_imports_point_inwards(module: str) -> None:
    assert violations(module, FILES[module].read_text(), set(FILES)) == []


@pytest.mark.parametrize(
    ("module", "source", "told"),
    [
        (
            "gateway.provenance.lineage",
            "import gateway.pipeline",
            "provenance may not import gateway.pipeline (pipeline)",
        ),
        ("gateway.provenance.lineage", "from time import time", "provenance is pure and may not import time"),
        ("gateway.pipeline", "from gateway.api import rounds", "pipeline may not import gateway.api (api)"),
        ("gateway.ledger", "from gateway import aggregation", "port may not import gateway.aggregation (pipeline)"),
        ("gateway.aggregation", "import gateway.app", "pipeline may not import gateway.app (app)"),
        (
            "gateway.pipeline",
            "def f():\n    import gateway.tasks.x",
            "pipeline may not import gateway.tasks.x (adapter)",
        ),
        ("gateway.api.rounds", "from gateway.blobs import folder", "api may not import gateway.blobs.folder (adapter)"),
        ("gateway.api.rounds", "import gateway.settings", "api may not import gateway.settings (settings)"),
        ("gateway.tasks.x", "import gateway.pipeline", "adapter may not import gateway.pipeline (pipeline)"),
        ("gateway.__main__", "import gateway.tasks.x", "main may not import gateway.tasks.x (adapter)"),
        ("custody.client", "import custody.door", "custody.client may not import custody.door"),
        ("gateway.pipeline", "import verifier.bundle", "gateway may not import verifier.bundle"),
        ("gateway.pipeline", "from torch import nn", "gateway may not import torch"),
        ("fl_worker.train", "import gateway", "fl_worker may not import gateway"),
        ("fl_worker.train", "from custody import demo", "fl_worker may not import custody"),
        ("verifier.bundle", "import fastapi", "verifier may not import fastapi"),
        ("sealed.codec", "import torch", "sealed may not import torch"),
        ("sealed.codec", "import httpx2", "sealed may not import httpx2"),
        ("sealed.codec", "import custody.client", "sealed may not import custody.client"),
        ("fl_worker.model", "from pickle import loads", "imports pickle"),
        ("fl_worker.model", "import torch\ntorch.load", "loads with torch what may run code"),
        ("fl_worker.model", "from torch import load", "loads with torch what may run code"),
        ("gateway.api.rounds", "from . import folder", "imports by a relative name"),
        ("tests.test_x", "import numpy\nnumpy.load(f, allow_pickle=True)", "lets numpy run what it reads"),
    ],
)
def test_a_violation_is_told(module: str, source: str, told: str) -> None:
    assert violations(module, source, OURS) == [told]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gateway.app", "import gateway.api.rounds, gateway.ledger, gateway.settings"),
        ("gateway.api.rounds", "from gateway.blobs import Blobs\nfrom gateway.pipeline import run\nimport fastapi"),
        ("gateway.blobs.folder", "from gateway.blobs import Blobs\nimport os"),
        ("gateway.provenance.lineage", "import datetime\nfrom sealed.records import decode"),
        ("fl_worker.train", "import torch\nfrom custody.client import Gateway\nfrom sealed import tensors"),
        ("sealed.codec", "import hashlib, numpy, zstandard"),
        ("tests.test_x", "import torch, gateway.ledger, verifier.bundle"),
    ],
)
def test_what_points_inwards_is_let_through(module: str, source: str) -> None:
    assert violations(module, source, OURS) == []
