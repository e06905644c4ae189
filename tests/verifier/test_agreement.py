"""The contract and its restatement, call by call: what one takes or refuses, so does the other."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from custody.door import DoorError
from tests.campaigns import Campaign
from tests.verifier.forge import PEOPLE
from tests.verifier.improviser import Call, Improviser, accepted
from tests.verifier.real import RealLedger, serving
from verifier.__main__ import main
from verifier.blocks import Position, decode_block, decode_transaction
from verifier.certificates import Actor
from verifier.report import Broken, Verdict
from verifier.rules import Call as Replayed
from verifier.rules import rules_of
from verifier.state import State

REFUSALS = {"BAD_RECORD", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "REFUSED"}


def restated(state: State, ledger: RealLedger, call: Call) -> str:
    msp, role = PEOPLE[call.who]
    actor = Actor(msp, role, call.who, f"ca.{msp}")
    replayed = Replayed(state, ledger.genesis, actor, ledger.now_s() * 1000, "0" * 64, call.function, call.arguments)
    try:
        rules_of(1)(replayed)
    except (Broken, ValueError) as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    return ""


def real(ledger: RealLedger, call: Call) -> tuple[int, str]:
    try:
        return ledger.commit(call.who, call.function, *call.arguments).block, ""
    except DoorError as refusal:
        if refusal.code not in REFUSALS:
            raise
        return 0, str(refusal)


@dataclass
class Mirror:
    """The state as the blocks make it, followed block by block."""

    ledger: RealLedger
    state: State = field(default_factory=State)
    height: int = 0

    def follow(self, number: int) -> None:
        """The door answers what it was asked before with the block of then."""
        for height in range(self.height + 1, number + 1):
            block = decode_block(self.ledger.doors["reader"].block(height))
            for index, raw in enumerate(block.transactions):
                writes = decode_transaction(raw).effects.writes
                self.state.apply({write.key: write.value for write in writes}, Position(height, index))
        self.height = max(self.height, number)


def test_contract_and_restatement_agree(
    ledger_program: str, tmp_path_factory: pytest.TempPathFactory, campaign: Campaign
) -> None:
    calls = campaign("the contract against its restatement", sampled=400, full=20_000)
    for seed in range(0, calls, 400):
        with serving(ledger_program, tmp_path_factory.mktemp("agreement") / "ledger") as ledger:
            improvise(ledger, seed, min(400, calls - seed))
            assert main(["--log", str(ledger.log)]) == Verdict.CONSISTENT


def improvise(ledger: RealLedger, seed: int, calls: int) -> Counter[tuple[str, bool]]:
    mirror = Mirror(ledger)
    improviser = Improviser(mirror.state, ledger.genesis, ledger.now_s, random.Random(seed))
    met: Counter[tuple[str, bool]] = Counter()
    for number in range(calls):
        call = improviser.call()
        ours, (block, theirs) = restated(mirror.state, ledger, call), real(ledger, call)
        both = f"{ours or 'taken'} against {theirs or 'taken'}"
        assert bool(ours) == bool(theirs), f"call {number} of seed {seed}, {call}: {both}"
        met[call.function, not theirs] += 1
        mirror.follow(block)
        if not theirs:
            accepted(improviser, call)
    return met
