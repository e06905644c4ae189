"""The records of one model in its blocks, against the decoded copies that a bundle carries for people to read.

A copy says nothing that its block does not say; no record of the model lacks a copy.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field

from sealed.records import number_at, parse, record_at, text_at
from verifier.archive import Archive
from verifier.blocks import Position, Transaction, Write
from verifier.ledger import announced
from verifier.report import Broken, Place
from verifier.state import LIMIT

FIELDS = {"block", "key", "state", "tx"}


@dataclass
class Recorded:
    """What `walk` has shown of a model: counts by schema, and the hash of every state that a record made."""

    model: str
    counts: Counter[str] = field(default_factory=Counter)
    copies: dict[str, bytes] = field(default_factory=dict)

    def visit(self, at: Position, tx: Transaction) -> None:
        for index, write in enumerate(write for write in tx.effects.writes if announced(write.key)):
            schema = schema_made(write, tx.txid, self.model)
            if schema:
                self.counts[schema] += 1
                self.copies[copy_name(at, index)] = hashlib.sha256(copy_of(at, write)).digest()

    def check_copies(self, archive: Archive) -> None:
        inside = {name for name in archive.names if name.startswith("records/")}
        for name in sorted(inside ^ self.copies.keys()):
            raise Broken("is missing" if name in self.copies else "no block holds such a record", Place(file=name))

    def check_copy(self, archive: Archive, name: str) -> None:
        raw = archive.read(name)
        if hashlib.sha256(raw).digest() != self.copies[name]:
            raise Broken(f"is not what {pointer_of(raw)} says", Place(file=name))


def schema_made(write: Write, txid: str, model: str) -> str:
    """The schema of the record that this write put on the ledger first, if it is one of the model (or of none)."""
    state = parse(write.value, limit=LIMIT)
    if state.get("txid") != txid or "record" not in state:
        return ""
    record = record_at(state, "record")
    return text_at(record, "schema") if record.get("model", model) == model else ""


def copy_name(at: Position, index: int) -> str:
    return f"records/{at.block:08}-{at.tx:08}-{index:04}.json"


def copy_of(at: Position, write: Write) -> bytes:
    """Canonical, with the state's bytes as they are: {"block","key","state","tx"}."""
    return b'{"block":%d,"key":%b,"state":%b,"tx":%d}' % (at.block, json.dumps(write.key).encode(), write.value, at.tx)


def pointer_of(raw: bytes) -> str:
    copy = parse(raw, limit=LIMIT)
    if copy.keys() != FIELDS:
        return "its block"
    return f"block {number_at(copy, 'block')}, tx {number_at(copy, 'tx')}, {text_at(copy, 'key')}"
