"""What Fabric asks a person to sign, twice: a proposal, then the transaction that peers endorsed.

Read by hand, since the few fields that matter are not worth Fabric's own library. A field that Fabric would read and
that stands twice is refused, so that nobody can show us the one and Fabric the other.
"""

from __future__ import annotations

from dataclasses import dataclass

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5
FIXED = {EIGHT_BYTES: 8, FOUR_BYTES: 4}


class NotFabric(ValueError):
    """The bytes are not what Fabric asks to sign."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of a chaincode, and by whose certificate it goes."""

    channel: str
    chaincode: str
    function: str
    arguments: tuple[bytes, ...]
    certificate: bytes  # PEM


def is_fabric(payload: bytes) -> bool:
    """A message begins with its first field, the embedded ledger's payloads with a length."""
    return payload[:1] == b"\x0a"


def read_proposal(payload: bytes) -> Asked:
    """peer.Proposal {1: header, 2: ChaincodeProposalPayload}"""
    proposal = Message(payload)
    return _asked(proposal.at(1), proposal.at(2))


def read_transaction(payload: bytes) -> Asked:
    """common.Payload {1: header, 2: Transaction {1: action {2: {1: ChaincodeProposalPayload, 2: endorsements}}}}"""
    transaction = Message(payload)
    return _asked(transaction.at(1), transaction.at(2).at(1).at(2).at(1))


def _asked(header: Message, call: Message) -> Asked:
    channel_header, signature_header = header.at(1), header.at(2)
    invoked = call.at(1).at(1)
    words = invoked.at(3).all(1)
    if not words:
        raise NotFabric("no function is called")
    return Asked(
        channel=_text(channel_header.one(4)),
        chaincode=_text(invoked.at(2).one(2)),
        function=_text(words[0]),
        arguments=tuple(words[1:]),
        certificate=signature_header.at(1).one(2),
    )


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise NotFabric("a name is not ASCII") from error


class Message:
    """The fields of a protobuf message that have a length."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[bytes]] = {}
        at = 0
        while at < len(data):
            tag, at = _varint(data, at)
            number, kind = tag >> 3, tag & 7
            if kind == VARINT:
                _, at = _varint(data, at)
                continue
            size, at = _varint(data, at) if kind == LENGTH else (_fixed(kind), at)
            if at + size > len(data):
                raise NotFabric(f"field {number} ends past the end")
            if kind == LENGTH:
                self._fields.setdefault(number, []).append(data[at : at + size])
            at += size

    def all(self, number: int) -> list[bytes]:
        return self._fields.get(number, [])

    def one(self, number: int) -> bytes:
        found = self.all(number)
        if len(found) != 1:
            raise NotFabric(f"field {number} is there {len(found)} times, not once")
        return found[0]

    def at(self, number: int) -> Message:
        return Message(self.one(number))


def _fixed(kind: int) -> int:
    if kind not in FIXED:
        raise NotFabric(f"there is no kind {kind} of field")
    return FIXED[kind]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for i, byte in enumerate(data[at : at + 10]):
        number |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return number, at + i + 1
    raise NotFabric("a number has no end")
