"""Blocks as another implementation writes them, and every way in which bytes can fail to be one."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.verifier.forge import Forge
from tests.verifier.packing import fields, transactions
from tests.verifier.story import Story, a_short_life
from tests.verifier.writer import Envelope, encode_block, hash_of, lv, protobuf
from verifier.blocks import (
    NoTransactions,
    NotText,
    OutOfOrder,
    ReadTwice,
    UnknownFormat,
    decode_block,
    decode_transaction,
    encode_transaction,
)
from verifier.blocks import (
    encode_block as encode_again,
)
from verifier.crc import crc32c
from verifier.creators import BadCreator, decode_creator
from verifier.fields import Malformed, Truncated, WrongCount, WrongLength, split

BARE = Envelope(
    genesis=bytes(32),
    creator=protobuf(1, b"Org1MSP") + protobuf(2, b"-----BEGIN CERTIFICATE-----\n"),
    function="Promote",
    arguments=(b'{"schema":"promotion.1"}',),
    nonce=bytes(24),
    claimed_at=1_795_262_400_000,
    signature=b"signed",
    reads=(("a", b""), ("b", bytes(11) + b"\x07")),
    writes=(("a", b"{}"), ("b", b"{}")),
)


@pytest.fixture(scope="module")
def blocks() -> list[bytes]:
    forge = Forge()
    a_short_life(Story(forge))
    return forge.blocks


def test_what_another_implementation_writes_is_read_and_written_again(blocks: list[bytes]) -> None:
    for number, raw in enumerate(blocks):
        block = decode_block(raw)
        assert (block.number, block.hash) == (number, hash_of(raw))
        assert encode_again(block) == raw
        for tx in block.transactions if number else ():
            assert encode_transaction(decode_transaction(tx)) == tx


def test_a_transaction_is_read_in_all_its_parts() -> None:
    tx = decode_transaction(BARE.encode())
    assert (tx.txid, tx.proposal.function, tx.proposal.creator.msp) == (BARE.txid, "Promote", "Org1MSP")
    assert [(read.key, str(read.version)) for read in tx.effects.reads] == [("a", "None"), ("b", "0,7")]
    assert [write.key for write in tx.effects.writes] == ["a", "b"]


@pytest.mark.parametrize(
    ("envelope", "error"),
    [
        (replace(BARE, format=b"custody.tx.2"), UnknownFormat),
        (replace(BARE, genesis=bytes(31)), WrongLength),
        (replace(BARE, nonce=bytes(25)), WrongLength),
        (replace(BARE, function="Prom\note"), NotText),
        (replace(BARE, event="\x7f"), NotText),
        (replace(BARE, reads=(("a", bytes(11)),)), WrongLength),
        (replace(BARE, reads=(("a", b""), ("a", b""))), ReadTwice),
        (replace(BARE, writes=(("b", b"{}"), ("a", b"{}"))), OutOfOrder),
        (replace(BARE, writes=(("a", b"{}"), ("a", b"{}"))), OutOfOrder),
        (replace(BARE, creator=b""), Truncated),
        (replace(BARE, creator=protobuf(1, b"Org1MSP")), Truncated),
    ],
)
def test_a_malformed_transaction_is_named(envelope: Envelope, error: type[Malformed]) -> None:
    with pytest.raises(error):
        decode_transaction(envelope.encode())


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", WrongCount),
        (bytes(3), Truncated),
        (lv(b"", b""), WrongCount),
        (lv(bytes(71), lv(b"x"), bytes(64)), WrongLength),
        (lv(bytes(72), lv(b"x"), bytes(63)), WrongLength),
        (lv(bytes(72), lv(b"x"), bytes(64), b""), WrongCount),
        (lv(bytes(72), b"", bytes(64)), NoTransactions),
        (lv(bytes(72), b"\0\0\0\2x", bytes(64)), Truncated),
    ],
)
def test_a_malformed_block_is_named(raw: bytes, error: type[Malformed]) -> None:
    with pytest.raises(error):
        decode_block(raw)


@pytest.mark.parametrize(
    "raw",
    [
        protobuf(2, b"pem") + protobuf(1, b"Org1MSP"),
        protobuf(1, b"Org1MSP") + protobuf(2, b"pem") + protobuf(3, b"more"),
        b"\x0a\x87\x00Org1MSP" + protobuf(2, b"pem"),  # a length in two bytes that one would hold
        b"\x0a\xff\xff\xff\xff\xff\x01",
        protobuf(1, "Müller".encode()) + protobuf(2, b"pem"),
    ],
)
def test_a_creator_has_one_encoding(raw: bytes) -> None:
    with pytest.raises(BadCreator):
        decode_creator(raw)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_decoder_stumble(raw: bytes) -> None:
    for decode in (decode_block, decode_transaction, decode_creator):
        with pytest.raises(Malformed):
            decode(raw)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_fields_are_split_as_they_were_joined(parts: list[bytes]) -> None:
    assert split(lv(*parts), "parts") == parts == fields(lv(*parts))


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_a_block_of_many_transactions_keeps_their_order() -> None:
    forge = Forge()
    raws = [replace(BARE, nonce=os.urandom(24)).encode() for _ in range(5)]
    block = encode_block(forge.key, 1, bytes(32), raws)
    assert list(decode_block(block).transactions) == transactions(block) == raws
