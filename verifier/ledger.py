"""One pass over a ledger's blocks, from the first to the last, believing none of them.

A block is (1) decoded, (2) chained to the one before and to its transactions, (3) signed by the ledger. A transaction
is (4) decoded and new, (5) by a creator of an organisation of block 0, (6) signed by that creator, (7) based on what
was written last, (8) what the rules make of its arguments, write for write, and (9) announced as it was written.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sealed.records import Record, parse, record_at
from verifier.blocks import Block, Position, Transaction, data_hash, decode_block, decode_transaction
from verifier.certificates import Identity
from verifier.configuration import Configuration, configuration_of
from verifier.differences import difference
from verifier.report import Broken, Place, Tally
from verifier.rules import Call, Outcome, rules_of
from verifier.signatures import Signed, first_bad
from verifier.state import LIMIT, State

CHECKS = (
    "blocks", "chain", "ledger signature", "transactions", "certificates", "signatures", "reads", "rules", "events",
)  # fmt: skip

Visitor = Callable[[Position, Transaction], None]


@dataclass
class Ledger:
    """What the blocks say, once they are believed."""

    configuration: Configuration
    head: Block
    state: State = field(default_factory=State)
    hashes: list[bytes] = field(default_factory=list)
    txids: set[str] = field(default_factory=set)

    @property
    def genesis(self) -> str:
        return self.configuration.genesis.hex()

    def value(self, key: str) -> Record | None:
        found = self.state.get(key)
        return None if found is None else parse(found, limit=LIMIT)

    def record(self, key: str) -> Record:
        """The record of a state that must be there, because the rules that held wrote it."""
        found = self.value(key)
        if found is None:
            raise Broken("was never written", Place(key=key))
        return record_at(found, "record")


def walk(blocks: Iterable[tuple[str, bytes]], tally: Tally, visit: Visitor | None = None) -> Ledger:
    """Replay a ledger; `visit` sees each transaction once it has been checked. Raises Stop at what is broken."""
    ledger: Ledger | None = None
    signed: list[Signed] = []
    try:
        for file, raw in guarded(blocks, tally):
            block = tally.run("blocks", Place(file=file), decode_block, raw)
            ledger = accept_block(ledger, block, tally)
            for index, transaction in enumerate(block.transactions if block.number else ()):
                at = Position(block.number, index)
                tx = accept_transaction(ledger, transaction, at, tally, signed)
                if visit:
                    visit(at, tx)
    finally:
        check_signatures(signed, tally)
    if ledger is None:
        raise Broken("there is no block")
    return ledger


def guarded(blocks: Iterable[tuple[str, bytes]], tally: Tally) -> Iterator[tuple[str, bytes]]:
    iterator = iter(blocks)
    while found := tally.attempt("blocks", Place(), next, iterator, None):
        yield found


def accept_block(ledger: Ledger | None, block: Block, tally: Tally) -> Ledger:
    place = Place(block=block.number)
    tally.run("chain", place, check_chain, ledger, block)
    if ledger is None:
        ledger = Ledger(tally.attempt("blocks", place, configuration_of, block), block)
    tally.run("ledger signature", place, check_ledger_signature, ledger.configuration, block)
    ledger.head = block
    ledger.hashes.append(block.hash)
    return ledger


def check_chain(ledger: Ledger | None, block: Block) -> None:
    number, previous = (len(ledger.hashes), ledger.head.hash) if ledger else (0, bytes(32))
    if block.number != number:
        raise Broken(f"block {block.number} stands where block {number} belongs")
    if block.previous != previous:
        raise Broken("does not follow the block before it")
    if data_hash(block.transactions) != block.data:
        raise Broken("its transactions are not those that its header names")


def check_ledger_signature(configuration: Configuration, block: Block) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(configuration.ledger_key).verify(block.signature, block.hash)
    except InvalidSignature as error:
        raise Broken("is not signed by the ledger's key of block 0") from error


def accept_transaction(ledger: Ledger, raw: bytes, at: Position, tally: Tally, signed: list[Signed]) -> Transaction:
    place = Place(block=at.block, tx=at.tx)
    tx = tally.attempt("transactions", place, decode_transaction, raw)
    tally.run("transactions", place, check_new, ledger, tx)
    identity = tally.run(
        "certificates", place, ledger.configuration.organisations.identify, tx.proposal.creator, tx.proposal.claimed_at
    )
    signed.append(Signed(at, identity.key, bytes.fromhex(tx.txid), tx.signature))
    tally.run("reads", place, ledger.state.check_reads, tx.effects.reads)
    outcome = tally.attempt("rules", place, replay, ledger, tx, identity)
    tally.run("rules", place, check_outcome, outcome, tx)
    tally.run("events", place, check_event, tx)
    ledger.state.apply(outcome.writes, at)
    return tx


def check_new(ledger: Ledger, tx: Transaction) -> None:
    if tx.proposal.genesis != ledger.configuration.genesis:
        raise Broken("was signed for another ledger")
    if tx.txid in ledger.txids:
        raise Broken(f"transaction {tx.txid} is there twice")
    ledger.txids.add(tx.txid)


def replay(ledger: Ledger, tx: Transaction, identity: Identity) -> Outcome:
    decide = rules_of(ledger.configuration.rules)
    return decide(
        Call(
            state=ledger.state,
            genesis=ledger.genesis,
            actor=identity.actor,
            claimed_at=tx.proposal.claimed_at,
            txid=tx.txid,
            function=tx.proposal.function,
            arguments=tx.proposal.arguments,
        )
    )


def check_outcome(outcome: Outcome, tx: Transaction) -> None:
    if tx.effects.result != outcome.result:
        raise Broken(f"the answer recorded: {difference(tx.effects.result, outcome.result)}")
    if tx.effects.event_name != outcome.event:
        raise Broken(f"announces {tx.effects.event_name!r}, not {outcome.event!r}")
    recorded = {write.key: write.value for write in tx.effects.writes}
    for key in sorted(recorded.keys() | outcome.writes.keys()):
        if recorded.get(key) != outcome.writes.get(key):
            raise Broken(difference(recorded.get(key), outcome.writes.get(key)), Place(key=key))


def check_event(tx: Transaction) -> None:
    written = (b'"%b":%b' % (write.key.encode(), write.value) for write in tx.effects.writes if announced(write.key))
    expected = b'{"writes":{%b}}' % b",".join(written) if tx.effects.event_name else b""
    if tx.effects.event_payload != expected:
        raise Broken("the event does not hold what was written")


def announced(key: str) -> bool:
    """First answers are for callers who come again; the index does not follow them."""
    return not key.startswith("record/")


def check_signatures(signed: list[Signed], tally: Tally) -> None:
    bad = first_bad(signed)
    if bad:
        tally.fail("signatures", Place(block=bad.at.block, tx=bad.at.tx), bad.reason)
    tally.hold("signatures", len(signed))
