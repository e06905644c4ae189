"""Blocks of the embedded ledger (docs/ledger.md), decoded without trusting a byte of them.

Decoding checks form alone: bounds, counts, order, one encoding. What a block claims is checked elsewhere.
"""

import hashlib
import struct
from dataclasses import dataclass
from itertools import pairwise

from verifier.creators import Creator, decode_creator
from verifier.fields import Malformed, exactly, join, split, split_exactly, u64

PROPOSAL_FORMAT = b"custody.tx.1"
HASH_PREFIX = b"custody.block.1"


class UnknownFormat(Malformed):
    """A proposal of a version that this verifier does not know."""


class NotText(Malformed):
    """A key or name that is not printable ASCII."""


class NoTransactions(Malformed):
    """A block must hold at least one transaction."""


class OutOfOrder(Malformed):
    """Writes come in the order of their keys, none twice."""


class ReadTwice(Malformed):
    """A key has one version at a time, so a transaction reads it once."""


class NotCanonical(Malformed):
    """Encoding what was decoded gives other bytes."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a transaction stands; also the version of the states it wrote."""

    block: int
    tx: int

    def __str__(self) -> str:
        return f"{self.block},{self.tx}"


@dataclass(frozen=True, slots=True)
class Read:
    key: str
    version: Position | None  # None: the key was absent


@dataclass(frozen=True, slots=True)
class Write:
    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Proposal:
    genesis: bytes
    creator: Creator
    function: str
    arguments: tuple[bytes, ...]
    nonce: bytes
    claimed_at: int  # milliseconds since 1970, as the creator says


@dataclass(frozen=True, slots=True)
class Effects:
    reads: tuple[Read, ...]
    writes: tuple[Write, ...]
    result: bytes
    event_name: str
    event_payload: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    signed: bytes  # the proposal's bytes, which the creator signed
    proposal: Proposal
    signature: bytes
    effects: Effects

    @property
    def txid(self) -> str:
        return hashlib.sha256(self.signed).hexdigest()


@dataclass(frozen=True, slots=True)
class Block:
    number: int
    previous: bytes
    data: bytes
    transactions: tuple[bytes, ...]
    signature: bytes

    @property
    def header(self) -> bytes:
        return struct.pack(">Q", self.number) + self.previous + self.data

    @property
    def hash(self) -> bytes:
        return hashlib.sha256(HASH_PREFIX + self.header).digest()


def decode_block(raw: bytes) -> Block:
    header, transactions, signature = split_exactly(raw, 3, "block")
    exactly(header, 72, "header")
    block = Block(
        number=int.from_bytes(header[:8], "big"),
        previous=header[8:40],
        data=header[40:],
        transactions=tuple(split(transactions, "transactions")),
        signature=exactly(signature, 64, "signature of the ledger"),
    )
    if not block.transactions:
        raise NoTransactions("a block without transactions")
    if encode_block(block) != raw:
        raise NotCanonical("the block encodes to other bytes")
    return block


def encode_block(block: Block) -> bytes:
    return join((block.header, join(block.transactions), block.signature))


def data_hash(transactions: tuple[bytes, ...]) -> bytes:
    return hashlib.sha256(b"".join(hashlib.sha256(tx).digest() for tx in transactions)).digest()


def decode_transaction(raw: bytes) -> Transaction:
    proposal, signature, effects = split_exactly(raw, 3, "transaction")
    tx = Transaction(proposal, decode_proposal(proposal), signature, decode_effects(effects))
    if encode_transaction(tx) != raw:
        raise NotCanonical("the transaction encodes to other bytes")
    return tx


def encode_transaction(tx: Transaction) -> bytes:
    return join((encode_proposal(tx.proposal), tx.signature, encode_effects(tx.effects)))


def decode_proposal(raw: bytes) -> Proposal:
    form, genesis, creator, function, arguments, nonce, claimed_at = split_exactly(raw, 7, "proposal")
    if form != PROPOSAL_FORMAT:
        raise UnknownFormat(f"proposal of format {form[:32]!r}")
    return Proposal(
        genesis=exactly(genesis, 32, "genesis"),
        creator=decode_creator(creator),
        function=text(function, "function"),
        arguments=tuple(split(arguments, "arguments")),
        nonce=exactly(nonce, 24, "nonce"),
        claimed_at=u64(claimed_at, "claimed_at"),
    )


def encode_proposal(proposal: Proposal) -> bytes:
    return join(
        (
            PROPOSAL_FORMAT,
            proposal.genesis,
            proposal.creator.encode(),
            proposal.function.encode(),
            join(proposal.arguments),
            proposal.nonce,
            struct.pack(">Q", proposal.claimed_at),
        )
    )


def decode_effects(raw: bytes) -> Effects:
    reads, writes, result, event_name, event_payload = split_exactly(raw, 5, "effects")
    return Effects(decode_reads(reads), decode_writes(writes), result, text(event_name, "event name"), event_payload)


def encode_effects(effects: Effects) -> bytes:
    reads = join(join((read.key.encode(), encode_version(read.version))) for read in effects.reads)
    writes = join(join((write.key.encode(), write.value)) for write in effects.writes)
    return join((reads, writes, effects.result, effects.event_name.encode(), effects.event_payload))


def decode_reads(raw: bytes) -> tuple[Read, ...]:
    pairs = [split_exactly(entry, 2, "read") for entry in split(raw, "reads")]
    reads = tuple(Read(text(key, "key read"), decode_version(version)) for key, version in pairs)
    if len({read.key for read in reads}) != len(reads):
        raise ReadTwice("a key is read twice")
    return reads


def decode_version(raw: bytes) -> Position | None:
    if not raw:
        return None
    exactly(raw, 12, "version of a read")
    return Position(int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big"))


def encode_version(version: Position | None) -> bytes:
    return b"" if version is None else struct.pack(">QI", version.block, version.tx)


def decode_writes(raw: bytes) -> tuple[Write, ...]:
    pairs = [split_exactly(entry, 2, "write") for entry in split(raw, "writes")]
    writes = tuple(Write(text(key, "key written"), value) for key, value in pairs)
    for before, after in pairwise(writes):
        if before.key >= after.key:
            raise OutOfOrder(f"{after.key} is written after {before.key}")
    return writes


def text(raw: bytes, what: str) -> str:
    found = raw.decode("latin-1")
    if not found.isascii() or not found.isprintable():
        raise NotText(f"{what}: {raw[:64]!r}")
    return found
