"""Taking blocks apart and putting them together again, with or without the keys of who made them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.verifier.forge import Forge
from tests.verifier.packing import fields, transactions
from tests.verifier.writer import Envelope, Signer, encode_block, event_payload, hash_of, lv


@dataclass(frozen=True)
class Found:
    """Where a function was called in a ledger."""

    block: int
    envelope: Envelope


def envelope_of(raw: bytes) -> Envelope:
    proposal, signature, effects = fields(raw)
    form, genesis, creator, function, arguments, nonce, claimed_at = fields(proposal)
    reads, writes, result, event, payload = fields(effects)
    pairs = [tuple(fields(entry)) for entry in fields(reads)], [tuple(fields(entry)) for entry in fields(writes)]
    return Envelope(
        genesis=genesis,
        creator=creator,
        function=function.decode(),
        arguments=tuple(fields(arguments)),
        nonce=nonce,
        claimed_at=int.from_bytes(claimed_at, "big"),
        signature=signature,
        reads=tuple((key.decode(), version) for key, version in pairs[0]),
        writes=tuple((key.decode(), value) for key, value in pairs[1]),
        result=result,
        event=event.decode(),
        payload=payload,
        format=form,
    )


def find(blocks: Sequence[bytes], function: str, nth: int = 0) -> Found:
    found = [
        Found(number, envelope)
        for number, block in enumerate(blocks[1:], 1)
        for envelope in map(envelope_of, transactions(block))
        if envelope.function == function
    ]
    return found[nth]


def chained(forge: Forge, contents: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Blocks anew from block 0 on, each signed by the ledger: what whoever runs it can always do."""
    blocks: list[bytes] = []
    for number, transactions_ in enumerate(contents):
        previous = hash_of(blocks[-1]) if blocks else bytes(32)
        blocks.append(encode_block(forge.key, number, previous, list(transactions_)))
    return blocks


def contents_of(blocks: Sequence[bytes]) -> list[list[bytes]]:
    return [transactions(block) for block in blocks]


def changed(forge: Forge, blocks: Sequence[bytes], found: Found, change: Callable[[Envelope], Envelope]) -> list[bytes]:
    """One transaction replaced, everything after it chained and signed again."""
    contents = contents_of(blocks)
    contents[found.block] = [change(found.envelope).encode()]
    return chained(forge, contents)


def with_writes(envelope: Envelope, *writes: tuple[str, bytes], drop: Sequence[str] = ()) -> Envelope:
    """Other writes, announced as they are."""
    kept = {key: value for key, value in envelope.writes if key not in drop}
    ordered = tuple(sorted({**kept, **dict(writes)}.items()))
    return replace(envelope, writes=ordered, payload=event_payload(ordered))


def with_signature(block: bytes, signature: bytes) -> bytes:
    header, body, _ = fields(block)
    return lv(header, body, signature)


def with_body(block: bytes, change: Callable[[bytes], bytes]) -> bytes:
    header, body, signature = fields(block)
    return lv(header, change(body), signature)


def by(signer: Signer, envelope: Envelope) -> Envelope:
    return replace(envelope, creator=signer.creator).signed(signer)
