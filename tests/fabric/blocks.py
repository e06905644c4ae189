"""Just enough of Fabric's blocks and receipts to check what the door hands out."""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from custody.fabric_payload import Message


def header_hash(block: bytes) -> bytes:
    """SHA-256 of DER SEQUENCE {number, previous hash, data hash}."""
    number, previous, data = header_of(block)
    body = der(0x02, integer(number)) + der(0x04, previous) + der(0x04, data)
    return hashlib.sha256(der(0x30, body)).digest()


def header_of(block: bytes) -> tuple[int, bytes, bytes]:
    raw = Message(block).one(1)
    number = varint(raw[1:]) if raw[:1] == b"\x08" else 0
    header = Message(raw)
    return number, b"".join(header.all(2)), header.one(3)


def data_hash(block: bytes) -> bytes:
    return hashlib.sha256(b"".join(Message(block).at(2).all(1))).digest()


def varint(data: bytes) -> int:
    number = 0
    for i, byte in enumerate(data):
        number |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            break
    return number


def integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def der(tag: int, content: bytes) -> bytes:
    assert len(content) < 0x80
    return bytes([tag, len(content)]) + content


def endorsers(receipt: bytes) -> set[str]:
    """The organisations whose signatures over one and the same payload are good."""
    transaction = Message(receipt).at(2).at(1).at(2)  # PreparedTransaction, envelope, payload, data
    action = transaction.at(1).at(2).at(2)
    payload = action.one(1)
    found = set()
    for endorsement in map(Message, action.all(2)):
        endorser = endorsement.one(1)
        identity = Message(endorser)
        key = x509.load_pem_x509_certificate(identity.one(2)).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(endorsement.one(2), payload + endorser, ec.ECDSA(SHA256()))
        found.add(identity.one(1).decode())
    return found


def vouched_for(receipt: bytes) -> bytes:
    """The ProcessedTransaction {1: envelope, 2: validation code} in a receipt; without a code it is VALID."""
    action = Message(receipt).at(2).at(1).at(2).at(1).at(2).at(2)
    response = action.at(1).at(2)  # ProposalResponsePayload, ChaincodeAction
    return response.at(3).one(3)  # Response, payload
