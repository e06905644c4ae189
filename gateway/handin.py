"""What participants sign and hand in: checked here as far as the ledger cannot, queued, anchored, and answered for.

The answer is made from what the index says that the ledger holds, so that the same manifest gets the same answer for
ever, also after a crash between the commit and the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import lineage, wraps
from gateway.blobs import BlobMissing
from gateway.database import insert_new, table_of
from gateway.kept_db import Inbox
from gateway.lineage_db import Acknowledgement, Refusal, State, Update
from gateway.system import System
from gateway.who import Caller, active_participant
from sealed.cid import AddressMismatch, check_file_address
from sealed.codec import CodecError, read_update
from sealed.fldiff import BlobError, VerifiedBlob
from sealed.keys import Wrap, WrongKey, kid_of, unwrap_key, verify
from sealed.records import Record, RecordError, check, encode, parse, record_at, record_id, signing_text, text_at
from sealed.updates import place_of_update

LIMIT = 2048


class HandInWrong(Exception):
    """Nothing was anchored: mend it and hand it in again."""


class RefusedByLedger(Exception):
    """It is on the ledger as a refusal, for good; the text is the reason."""


class NotYetKnown(Exception):
    """Queued, and not yet on the ledger: hand in the very same again to learn what became of it."""


# Results that the ledger keeps nowhere, so that what was answered to us is all there is.
LEAVE_NO_STATE: dict[str, dict[str, type[Exception]]] = {
    "update.1": {"invalid": HandInWrong},
    "ack.1": {"invalid": HandInWrong, "refused": RefusedByLedger},
}


@dataclass(frozen=True, slots=True)
class Item:
    """A signed record as it goes into a batch."""

    record: Record
    text: bytes
    signature: str

    @property
    def id(self) -> str:
        return record_id(self.text)

    @property
    def schema(self) -> str:
        return text_at(self.record, "schema")


def read_item(system: System, caller: Caller, schema: str, text: str, signature: str) -> Item:
    """A record of the caller's own, signed with the key that is registered for it now."""
    try:
        record = parse(text, LIMIT)
        check(record)
    except RecordError as error:
        raise HandInWrong(str(error)) from error
    if record["schema"] != schema or record["model"] != caller.model or record["participant"] != caller.name:
        raise HandInWrong(f"not an {schema} of {caller.name} for {caller.model}")
    with system.database.reading() as session:
        public = active_participant(session, caller.model, caller.name).ed25519
    data = text.encode("ascii")
    if not verify(public, signing_text(schema, system.chain.genesis, data), signature):
        raise HandInWrong("the signature is not by the participant's registered key")
    return Item(record, data, signature)


def check_update(system: System, item: Item, given: Sequence[Wrap]) -> None:
    """Blob and wraps are here and are what the manifest says: the aggregator can open it and finds an update."""
    with system.database.reading() as session:
        _, policy = lineage.policy(session, text_at(item.record, "model"))
        base = _base_of_open_round(session, item.record)
    expected = {kid_of(public) for public in wraps.for_update(policy["keys"])}
    if {wrap["kid"] for wrap in given} != expected:
        raise HandInWrong(f"wraps are needed for exactly these keys: {', '.join(sorted(expected))}")
    sha256 = text_at(item.record, "blob", "sha256")
    try:
        with system.blobs.local(sha256) as path:
            _open(system, item.record, path, given, base)
    except BlobMissing as error:
        raise HandInWrong(f"there is no blob {sha256}: hand it in first") from error
    except AddressMismatch as error:
        raise HandInWrong(str(error)) from error
    except (BlobError, CodecError, WrongKey) as error:
        raise HandInWrong(f"the aggregator cannot open it: {error}") from error


def _open(system: System, manifest: Record, path: Path, given: Sequence[Wrap], base: str | None) -> None:
    """In constant memory, however large the update: its address, every segment, and the plan of its tensors."""
    blob = record_at(manifest, "blob")
    check_file_address(path, blob)
    sha256 = text_at(blob, "sha256")
    place = place_of_update(manifest, system.chain.genesis)
    opened = VerifiedBlob(path, place, lambda dek: unwrap_key(given, system.sealing, dek, sha256))
    if base is not None:
        read_update(opened, system.weights.of(base))


def queue(system: System, item: Item, given: Sequence[Wrap]) -> None:
    row = {
        "item": item.id,
        "schema": item.schema,
        "model": item.record["model"],
        "record": item.text.decode("ascii"),
        "signature": item.signature,
        "received_at": system.now(),
        "result": "",
        "reason": "",
    }
    with system.database.writing() as session:
        if given:
            wraps.keep(session, text_at(item.record, "blob", "sha256"), given)
        insert_new(session, table_of(Inbox), row)
    system.bell.ring()


def outcome(session: Session, item: Item) -> State | None:
    """The row that says that the ledger took it, or None while that is still to come; an error says why it did not."""
    if (row := _taken(session, item)) is not None:
        return row
    if (refused := session.get(Refusal, item.id)) is not None:
        raise RefusedByLedger(refused.reason)
    waiting = session.get(Inbox, item.id)
    if waiting is not None and waiting.result in LEAVE_NO_STATE[item.schema]:
        raise LEAVE_NO_STATE[item.schema][waiting.result](waiting.reason)
    return None


def is_known(session: Session, item: Item) -> bool:
    return session.get(Inbox, item.id) is not None or _taken(session, item) is not None


def receipt(system: System, item: Item, row: State) -> dict[str, str]:
    text = encode(
        {
            "schema": "receipt.1",
            "manifest": item.id,
            "result": "accepted",
            "txid": row.txid,
            "block": row.block,
            "gateway": system.receipts.public,
        }
    )
    signature = system.receipts.sign(signing_text("receipt.1", system.chain.genesis, text))
    return {"receipt": text.decode("ascii"), "signature": signature}


def _taken(session: Session, item: Item) -> State | None:
    table, identity = (
        (Update, Update.manifest == item.id)
        if item.schema == "update.1"
        else (Acknowledgement, Acknowledgement.ack == item.id)
    )
    return session.scalars(select(table).where(identity)).first()


def _base_of_open_round(session: Session, manifest: Record) -> str | None:
    """What the update must be a difference to, if it can still be accepted at all; the ledger refuses the others."""
    newest = lineage.newest_round(session, text_at(manifest, "model"))
    if newest is None or newest.outcome != "open":
        return None
    return newest.base if (newest.number, newest.base) == (manifest["round"], manifest["base"]) else None
