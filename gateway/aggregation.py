"""From a sealed round to a version's bytes: made once, kept before anything about them is on the ledger.

Whoever is given the keys can do the same again and must come to the same weights: the updates are taken as anchored,
in the order of the participants' names, and one that is left out is left out by a named rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from gateway import blobs, lineage, wraps
from gateway.blobs import BlobMissing, in_pieces
from gateway.database import insert_new, table_of
from gateway.kept_db import Inbox, Sealed, Spoiled
from gateway.lineage_db import Policy, Update, Version
from gateway.provenance.lineage import WHOLE, next_codec
from gateway.system import System
from gateway.weights import UNOPENED, CannotOpen
from sealed import updates
from sealed.aggregate import AggregationError, UnusableUpdate, aggregate
from sealed.aggregate import Update as Opened
from sealed.cid import AddressMismatch
from sealed.codec import CodecError
from sealed.fldiff import BlobError
from sealed.keys import WrongKey, unwrap_key
from sealed.records import Record, check, encode, parse
from sealed.schemas import WIDE
from sealed.tensors import Tensors
from sealed.versions import SealedVersion, open_version, seal_version

UNREADABLE = "unreadable.1"  # the anchored blob does not open, or does not decode on the round's base
EXCLUDED = "excluded.1"  # by the ledger, since; the score is the number of the event that did it
ABSENT = "absent.1"  # anchored past the gateway, and its blob was never handed in here


class NothingToAggregate(Exception):
    """Every update was left out, or those that remain are too few for the rule: no version comes of the round."""


@dataclass(frozen=True, slots=True)
class Round:
    """A sealed round, as the ledger has it."""

    record: dict[str, Any]
    sealed: dict[str, Any]  # count and chain
    updates: Sequence[Update]
    barred: Mapping[str, int]  # participants whom the ledger has excluded, and the numbers of the events
    base: Version
    steps_to_base: int
    number: int  # of the version to be made
    rule: str


@dataclass(slots=True)
class Screened:
    included: list[Opened] = field(default_factory=list)
    excluded: dict[str, tuple[str, int]] = field(default_factory=dict)  # participant → rule and score

    def exclude(self, participant: str, rule: str, score: int = 0) -> None:
        self.included = [update for update in self.included if update.participant != participant]
        self.excluded[participant] = rule, score


def sealed_version(system: System, model: str, number: int) -> Record:
    """The version record of a round, whose bytes lie in the store and open."""
    with system.database.reading() as session:
        round_ = _read(session, model, number)
        kept = session.get(Sealed, (model, number))
    if kept is not None:
        record = parse(kept.record, WIDE)
        if record["number"] == round_.number:
            return record
    return _make(system, round_)


def spoil(system: System, model: str, number: int, reason: str) -> None:
    with system.database.writing() as session:
        insert_new(session, table_of(Spoiled), {"model": model, "round": number, "reason": reason})


def _make(system: System, round_: Round) -> Record:
    base = system.weights.of(round_.base.version)
    with ExitStack() as files:
        screened = _screen(system, round_, base, files)
        weights = _aggregate(round_, base, screened)
    sealed = _seal(system, round_, weights, base)
    record = _record(round_, screened, sealed)
    _store_and_read_back(system, sealed, record, base)
    return _keep(system, sealed, record)


def _aggregate(round_: Round, base: Tensors, screened: Screened) -> Tensors:
    """An update can turn out to be unusable only where it is decoded; then the others are aggregated without it."""
    while screened.included:
        try:
            return aggregate(round_.rule, base, screened.included)
        except UnusableUpdate as unusable:
            screened.exclude(unusable.participant, UNREADABLE)
        except AggregationError as error:
            raise NothingToAggregate(str(error)) from error
    raise NothingToAggregate(f"all {len(round_.updates)} updates were left out")


def _screen(system: System, round_: Round, base: Tensors, files: ExitStack) -> Screened:
    screened = Screened()
    for row in round_.updates:
        if row.participant in round_.barred:
            screened.exclude(row.participant, EXCLUDED, round_.barred[row.participant])
            continue
        try:
            screened.included.append(_open(system, row, base, files))
        except BlobMissing:
            _refuse_own_loss(system, row)
            screened.exclude(row.participant, ABSENT)
        except (AddressMismatch, BlobError, CodecError, WrongKey):
            screened.exclude(row.participant, UNREADABLE)
    return screened


def _open(system: System, row: Update, base: Tensors, files: ExitStack) -> Opened:
    path = files.enter_context(system.blobs.local(row.blob))
    with system.database.reading() as session:
        mine = wraps.of_blob(session, row.blob, [system.sealing.kid])
    return updates.open_update(path, row.record, mine, system.sealing, system.chain.genesis, base)


def _refuse_own_loss(system: System, row: Update) -> None:
    """What was handed in here and is gone is our trouble, and no participant is left out for it."""
    with system.database.reading() as session:
        if session.get(Inbox, row.manifest) is not None:
            raise BlobMissing(f"the blob {row.blob} of {row.participant} was handed in here and is gone")


def _seal(system: System, round_: Round, weights: Tensors, base: Tensors) -> SealedVersion:
    whole = next_codec(round_.number, round_.steps_to_base) == WHOLE
    return seal_version(
        weights,
        None if whole else base,
        model=round_.record["model"],
        number=round_.number,
        parent=round_.base.version,
        genesis=system.chain.genesis,
    )


def _record(round_: Round, screened: Screened, sealed: SealedVersion) -> Record:
    rows = {row.participant: row for row in round_.updates}
    included = [
        {"participant": update.participant, "update": rows[update.participant].manifest, "examples": update.examples}
        for update in screened.included
    ]
    excluded = [
        {"participant": participant, "update": rows[participant].manifest, "rule": rule, "score": score}
        for participant, (rule, score) in sorted(screened.excluded.items())
    ]
    record: dict[str, Any] = {
        "schema": "version.1",
        "kind": "aggregate",
        "number": round_.number,
        "parent": round_.base.version,
        "round": round_.record["number"],
        "sealed": round_.sealed,
        "weights": sealed.weights,
        "blob": sealed.record,
        "rule": round_.rule,
        "included": included,
        "excluded": excluded,
        **{name: round_.record[name] for name in ("model", "epoch", "hyperparameters")},
    }
    check(record)
    return record


def _store_and_read_back(system: System, sealed: SealedVersion, record: Record, base: Tensors) -> None:
    """A version exists only when its bytes were stored and what lies there opens to its weights."""
    sha256 = sealed.address["sha256"]
    system.blobs.put(sha256, in_pieces(sealed.blob))
    system.blobs.pin(sha256)
    own = sealed.wraps_for([system.sealing.public])
    parent = None if sealed.codec == WHOLE else base
    stored = blobs.read(system.blobs, sha256)
    try:
        open_version(
            stored, record, lambda dek: unwrap_key(own, system.sealing, dek, sha256), system.chain.genesis, parent
        )
    except UNOPENED as error:
        raise CannotOpen(f"what was stored for version {record['number']} does not read back: {error}") from error


def _keep(system: System, sealed: SealedVersion, record: Record) -> Record:
    """One transaction for the wraps and the record: a key without its record, or the reverse, would be lost work."""
    text = encode(record).decode("ascii")
    place = {"model": record["model"], "round": record["round"]}
    with system.database.writing() as session:
        kept = session.get(Sealed, (place["model"], place["round"]))
        if kept is not None and parse(kept.record, WIDE)["number"] == record["number"]:
            return parse(kept.record, WIDE)  # another gateway was faster; its bytes are as good
        if kept is not None:
            session.delete(kept)
            session.flush()
        publics = wraps.for_version(session, str(record["model"]))
        own = [] if system.sealing.public in publics else [system.sealing.public]
        wraps.keep(session, sealed.address["sha256"], sealed.wraps_for([*publics, *own]))
        session.add(Sealed(**place, record=text))
    return record


def _read(session: Session, model: str, number: int) -> Round:
    row = lineage.round_(session, model, number)
    record = row.record
    policy = session.get_one(Policy, (model, record["policy"])).record["policy"]
    return Round(
        record=record,
        sealed={"count": row.count, "chain": row.chain},
        updates=lineage.updates(session, model, number),
        barred=lineage.excluded_participants(session, model),
        base=lineage.version(session, row.base),
        steps_to_base=len(lineage.steps(session, row.base)),
        number=lineage.newest_version(session, model).number + 1,
        rule=policy["aggregation"],
    )
