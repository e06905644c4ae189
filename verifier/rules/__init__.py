"""The rules of the ledger, restated: what the contract in Go must have written for the arguments that it was given.

Written from docs/records.md and docs/contract.md, not from the Go code, and run on nothing but blocks.
"""

from collections.abc import Callable

from verifier.report import CannotDecide
from verifier.rules.call import RULES, Call, Outcome
from verifier.rules.functions import invoke

__all__ = ["Call", "Outcome", "rules_of"]


def rules_of(version: int) -> Callable[[Call], Outcome]:
    if version != RULES:
        raise CannotDecide(f"this ledger follows rules {version}; this verifier knows rules {RULES}")
    return invoke
