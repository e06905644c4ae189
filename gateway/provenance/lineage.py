"""Which versions does one need to open a version, and when is the next one stored whole?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

WHOLE, DIFF = "whole.1", "xor.1"
WHOLE_EVERY = 10


@dataclass(frozen=True, slots=True)
class Node:
    version: str
    number: int
    parent: str
    codec: str


class BrokenLineage(Exception):
    """A diff whose parents never reach a whole version cannot be opened by anybody."""


def steps(version: str, node_of: Callable[[str], Node]) -> list[Node]:
    """From the last whole version to this one; each but the first is a diff on the one before."""
    walked = [node_of(version)]
    while walked[-1].codec != WHOLE:
        if not walked[-1].parent:
            raise BrokenLineage(f"version {version} goes back to {walked[-1].version}, which is a diff on nothing")
        walked.append(node_of(walked[-1].parent))
    return walked[::-1]


def next_codec(number: int, steps_to_parent: int) -> str:
    """Every tenth number is whole, and what is ten steps from a whole one: rollbacks let a lineage step over a ten."""
    return WHOLE if number % WHOLE_EVERY == 0 or steps_to_parent >= WHOLE_EVERY else DIFF
