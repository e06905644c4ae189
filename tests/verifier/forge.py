"""An embedded ledger in memory whose operator does as they like: keeps the rules, or bends them and signs all the same.

Effects come from `verifier.rules`; that those are the contract's is what the tests on the real ledger show.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import verifier.rules
from sealed.records import Record, parse
from tests.verifier.writer import (
    START,
    Authority,
    Envelope,
    Signer,
    configuration,
    encode_block,
    event_payload,
    hash_of,
)
from verifier.blocks import Position
from verifier.certificates import actor_of
from verifier.rules import Call, Outcome, rules_of
from verifier.state import State

PEOPLE = {
    "anna": ("Org1MSP", "admin"),
    "olga": ("Org1MSP", "operator"),
    "petra": ("Org1MSP", "approver"),
    "otto": ("Org2MSP", "operator"),
    "paul": ("Org2MSP", "approver"),
    "aggregator": ("Org1MSP", "aggregator"),
    "validator": ("Org2MSP", "validator"),
}


class Forge:
    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.authorities = {msp: Authority(msp) for msp in ("Org1MSP", "Org2MSP")}
        self.people = {name: self.enroll(name, *who) for name, who in PEOPLE.items()}
        self.people["adam"] = self.enroll("adam", "Org2MSP", "admin")  # of an organisation that is granted no such role
        self.people["agnes"] = self.enroll("agnes", "Org2MSP", "aggregator")
        self.people["olga as approver"] = self.enroll("olga", "Org1MSP", "approver")
        self.blocks = [encode_block(self.key, 0, bytes(32), [configuration(self.key, [*self.authorities.values()])])]
        self.state = State()
        self.writers: dict[str, Position] = {}
        self.clock_ms = int(START.timestamp()) * 1000

    @property
    def genesis(self) -> str:
        return hash_of(self.blocks[0]).hex()

    def now_s(self) -> int:
        return self.clock_ms // 1000

    def wait(self, seconds: int) -> None:
        self.clock_ms += seconds * 1000

    def enroll(self, name: str, msp: str, role: str) -> Signer:
        key = ec.generate_private_key(ec.SECP256R1())
        return Signer(msp, name, key, self.authorities[msp].issue(key.public_key(), name, role))

    def submit(self, who: str, function: str, *arguments: bytes) -> Record:
        """One transaction, one block."""
        envelope = self.envelope(self.people[who], function, *arguments)
        self.append(envelope)
        return parse(envelope.result, limit=1 << 24)

    def claim(self, who: str, function: str, *arguments: bytes) -> None:
        """On the ledger without having been run: as if it had been allowed, and had changed nothing."""
        signer = self.people[who]
        bare = self.proposal(signer, function, *arguments)
        self.append(replace(bare, event="Nothing.v1", payload=event_payload(())))

    def envelope(self, signer: Signer, function: str, *arguments: bytes) -> Envelope:
        bare = self.proposal(signer, function, *arguments)
        return with_effects(bare, self.replay(bare, signer), self.writers)

    def proposal(self, signer: Signer, function: str, *arguments: bytes) -> Envelope:
        self.clock_ms += 1000
        return Envelope(
            genesis=bytes.fromhex(self.genesis),
            creator=signer.creator,
            function=function,
            arguments=arguments,
            nonce=os.urandom(24),
            claimed_at=self.clock_ms,
        ).signed(signer)

    def replay(self, bare: Envelope, signer: Signer) -> Outcome:
        actor = actor_of(signer.certificate, signer.msp)
        call = Call(self.state, self.genesis, actor, bare.claimed_at, bare.txid, bare.function, bare.arguments)
        return rules_of(1)(call)

    def append(self, *envelopes: Envelope) -> None:
        number = len(self.blocks)
        self.blocks.append(
            encode_block(self.key, number, hash_of(self.blocks[-1]), [envelope.encode() for envelope in envelopes])
        )
        for index, envelope in enumerate(envelopes):
            at = Position(number, index)
            self.state.apply(dict(envelope.writes), at)
            self.writers.update(dict.fromkeys((key for key, _ in envelope.writes), at))


def with_effects(bare: Envelope, outcome: Outcome, writers: dict[str, Position]) -> Envelope:
    writes = tuple(sorted(outcome.writes.items()))
    reads = tuple((key, version(writers.get(key))) for key, _ in writes)
    payload = event_payload(writes) if writes else b""
    return replace(bare, reads=reads, writes=writes, result=outcome.result, event=outcome.event, payload=payload)


def version(at: Position | None) -> bytes:
    return b"" if at is None else struct.pack(">QI", at.block, at.tx)


@contextmanager
def bent_rules() -> Iterator[None]:
    """A contract that refuses nothing, and otherwise does what it always does."""
    with ExitStack() as patches:
        for module in rule_modules():
            if hasattr(module, "demand"):
                patches.enter_context(patch.object(module, "demand", refuse_nothing))
        yield


def rule_modules() -> list[ModuleType]:
    return [import_module(f"verifier.rules.{module.name}") for module in iter_modules(verifier.rules.__path__)]


def refuse_nothing(holds: bool, rule: str) -> None:
    del holds, rule
