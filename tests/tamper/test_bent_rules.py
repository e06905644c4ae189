"""Who bends a rule signs what follows with every key there is: only a second statement of the rules sees it."""

import ast
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest

import verifier.rules
from tests.tamper.bent import CASES, Bent
from tests.verifier.forge import Forge, bent_rules, rule_modules
from tests.verifier.story import Story
from verifier.ledger import CHECKS, walk
from verifier.report import Broken, Check, Status, Stop, Tally

BY_NAME = {case.name: case for case in CASES}
Line = tuple[str, int]


@dataclass(frozen=True)
class Outcome:
    before: Check
    after: Check
    length: int  # of the ledger when the rule was bent
    broken: frozenset[Line]  # demands of the rules that were not met


@cache
def outcome_of(name: str) -> Outcome:
    case = BY_NAME[name]
    forge, story = in_order(case)
    before, length = rules_of(forge), len(forge.blocks)
    with bent_rules():
        case.act(story)
    broken: set[Line] = set()
    with noting(broken):
        after = rules_of(forge)
    return Outcome(before, after, length, frozenset(broken))


def in_order(case: Bent) -> tuple[Forge, Story]:
    forge = Forge()
    story = Story(forge)
    story.begin(**case.policy)
    for number in range(case.grown):
        story.grow(9000 + number)
    case.before(story)
    return forge, story


def rules_of(forge: Forge) -> Check:
    tally = Tally(CHECKS)
    with suppress(Stop), tally.stage(*CHECKS):
        walk(((f"block {number}", block) for number, block in enumerate(forge.blocks)), tally)
    return next(check for check in tally.checks() if check.name == "rules")


def noting(broken: set[Line]) -> ExitStack:
    def demand(holds: bool, rule: str) -> None:
        if not holds:
            caller = sys._getframe(1)
            broken.add((Path(caller.f_code.co_filename).name, caller.f_lineno))
            raise Broken(rule)

    patches = ExitStack()
    for module in rule_modules():
        patches.enter_context(patch.object(module, "demand", demand, create=True))
    return patches


@pytest.mark.parametrize("name", BY_NAME)
def test_a_bent_rule_is_found_and_named(name: str) -> None:
    outcome = outcome_of(name)
    assert outcome.before.status is Status.PASS
    assert outcome.after.status is Status.FAIL
    assert outcome.after.place
    assert outcome.after.place.block == outcome.length
    assert BY_NAME[name].told in outcome.after.detail


def demands() -> set[Line]:
    """Where the rules demand something: file and line of each call."""
    found = set()
    for file in Path(verifier.rules.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "demand":
                found.add((file.name, node.lineno))
    return found


def test_every_rule_is_bent_by_some_case() -> None:
    broken = {line for name in BY_NAME for line in outcome_of(name).broken}
    assert demands() - broken == set()
