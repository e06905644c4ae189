"""A prepared split as a table for the terminal: a bar for each class of each file."""

import shutil
from collections.abc import Mapping
from typing import Any

BARS = " ▁▂▃▄▅▆▇█"


def drawn(metadata: Mapping[str, Any]) -> str:
    rows = {short(name): entry for name, entry in metadata["files"].items()}
    width = max(map(len, rows))
    columns = (shutil.get_terminal_size((100, 20)).columns - width - 9) // 4
    most = max(max(entry["histogram"]) for entry in rows.values())
    names = " ".join(f"{name!s:>3.3}" for name in metadata["classes"][:columns])
    table = [row(name, entry, width, columns, most) for name, entry in rows.items()]
    return "\n".join([title(metadata), "", " " * (width + 9) + names, *table])


def title(metadata: Mapping[str, Any]) -> str:
    total = sum(entry["examples"] for entry in metadata["files"].values())
    split = metadata["split"]
    alpha = f" with alpha {split['alpha']}" if split["name"] == "dirichlet" else ""
    return f"{metadata['dataset']}: {total:,} examples, {split['name']}{alpha}, seed {split['seed']}"


def row(name: str, entry: Mapping[str, Any], width: int, columns: int, most: int) -> str:
    bars = " ".join(bar(count, most) * 3 for count in entry["histogram"][:columns])
    return f"{name:{width}} {entry['examples']:>7,} {bars}"


def bar(count: int, most: int) -> str:
    """Rounded up, so that one example is still seen."""
    return BARS[-(-count * (len(BARS) - 1) // most)]


def short(file: str) -> str:
    """`site-1/train.safetensors` is site-1's, `validator/probe.safetensors` the probe."""
    folder, _, name = file.partition("/")
    return name.partition(".")[0] if folder == "validator" else folder
