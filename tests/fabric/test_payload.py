"""What a person is shown to sign on Fabric, built here as Fabric builds it."""

import pytest

from custody.fabric_payload import Asked, NotFabric, is_fabric, read_proposal, read_transaction

CALL = Asked("custody", "custody", "RollbackModel", (b'{"schema":"rollback.1"}',), b"-----BEGIN CERTIFICATE-----\n")


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _size(len(content)) + content


def _size(size: int) -> bytes:
    return bytes([size]) if size < 0x80 else bytes([size & 0x7F | 0x80]) + _size(size >> 7)


def header(call: Asked = CALL) -> bytes:
    channel_header = b"\x08\x03" + field(4, call.channel.encode()) + field(5, b"txid")
    creator = field(1, b"Org1MSP") + field(2, call.certificate)
    return field(1, channel_header) + field(2, field(1, creator) + field(2, b"nonce"))


def invocation(call: Asked = CALL) -> bytes:
    words = b"".join(field(1, word) for word in (call.function.encode(), *call.arguments))
    return field(1, field(1, b"\x08\x01" + field(2, field(2, call.chaincode.encode())) + field(3, words)))


def proposal(head: bytes, call: bytes) -> bytes:
    return field(1, head) + field(2, call)


def transaction(head: bytes, call: bytes) -> bytes:
    action = field(1, head) + field(2, field(1, call) + field(2, b""))
    return field(1, head) + field(2, field(1, action))


def test_both_payloads_say_the_same_call() -> None:
    assert read_proposal(proposal(header(), invocation())) == CALL
    assert read_transaction(transaction(header(), invocation())) == CALL


def test_a_payload_is_told_from_one_of_the_embedded_ledger() -> None:
    assert is_fabric(proposal(header(), invocation()))
    assert not is_fabric(b"\x00\x00\x00\x0ccustody.tx.1")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(proposal(header(), invocation())[:-1], id="cut"),
        pytest.param(transaction(header(), invocation()), id="a transaction where a proposal is due"),
        pytest.param(proposal(header(), invocation()) + field(2, invocation()), id="two calls"),
        pytest.param(proposal(header(), invocation() + invocation()), id="two invocations"),
        pytest.param(proposal(header() + header(), invocation()), id="two creators"),
        pytest.param(
            proposal(header(), field(1, field(1, field(2, field(2, b"custody")) + field(3, b"")))), id="no function"
        ),
        pytest.param(b"\x0a" + b"\xff" * 12, id="a number without an end"),
        pytest.param(b"\x0b", id="a kind that there is not"),
    ],
)
def test_anything_else_is_refused(payload: bytes) -> None:
    with pytest.raises(NotFabric):
        read_proposal(payload)


def test_what_is_asked_is_what_stands_there() -> None:
    other = Asked("custody", "custody", "Promote", (b"x", b"y" * 300), b"another")
    assert read_proposal(proposal(header(other), invocation(other))) == other
