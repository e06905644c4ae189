"""One call of the contract as a verifier replays it: what it may read, and what it would have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sealed.records import Record, Value, encode, parse, record_at, record_id, text_at
from verifier.certificates import Actor
from verifier.report import Broken, Place
from verifier.state import LIMIT, State

RULES = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    writes: Mapping[str, bytes]
    result: bytes
    event: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A record as it was handed in: its bytes are what was hashed and signed."""

    raw: bytes
    record: Record

    @property
    def id(self) -> str:
        return record_id(self.raw)


@dataclass(slots=True)
class Call:
    """Sees its own writes, which the ledger's state takes only when they turned out to be the recorded ones."""

    state: State
    genesis: str
    actor: Actor
    claimed_at: int
    txid: str
    function: str
    arguments: tuple[bytes, ...]
    written: dict[str, Record] = field(default_factory=dict)
    seen: dict[str, Record] = field(default_factory=dict)

    @property
    def writes(self) -> dict[str, bytes]:
        return {key: encode(value) for key, value in self.written.items()}

    def get(self, key: str) -> Record | None:
        """What is returned is shared: nobody changes it, `put` replaces it."""
        found = self.written.get(key) or self.seen.get(key)
        if found is None and (value := self.state.get(key)) is not None:
            found = self.seen[key] = parse(value, limit=LIMIT)
        return found

    def has(self, key: str) -> bool:
        return key in self.written or self.state.get(key) is not None

    def need(self, key: str) -> Record:
        found = self.get(key)
        if found is None:
            raise Broken("names what nobody has written", Place(key=key))
        return found

    def record(self, key: str) -> Record:
        return record_at(self.need(key), "record")

    def outcome(self, key: str) -> Record:
        return record_at(self.need(key), "outcome")

    def put(self, key: str, value: Record) -> None:
        self.written[key] = value

    def create(self, key: str, value: Record) -> None:
        demand(not self.has(key), f"{key} is there already, and is written once")
        self.put(key, value)

    def keep(self, key: str, signed: Signed, outcome: Record | None = None) -> None:
        """The state that a record makes. Who made it, and when, stays whatever becomes of it."""
        state: Record = {
            "actor": actor_record(self.actor),
            "claimed_at": self.claimed_at,
            "id": signed.id,
            "record": signed.record,
            "rules": RULES,
            "txid": self.txid,
        }
        self.create(key, state if outcome is None else {**state, "outcome": outcome})

    def amend(self, key: str, **change: Value) -> None:
        state = self.need(key)
        self.put(key, {**state, "outcome": {**record_at(state, "outcome"), **change}})


def demand(holds: bool, rule: str) -> None:
    if not holds:
        raise Broken(rule)


def actor_record(actor: Actor) -> Record:
    return {"issuer": actor.issuer, "msp": actor.msp, "role": actor.role, "subject": actor.subject}


def same_person(actor: Actor, other: Record) -> bool:
    """Not by issuer or role: a person with two certificates is still one person."""
    return (actor.msp, actor.subject) == (text_at(other, "msp"), text_at(other, "subject"))
