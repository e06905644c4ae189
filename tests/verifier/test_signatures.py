"""Signatures of creators: one encoding each, checked here or in other processes, the first bad one named."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.verifier.writer import ORDER, Authority, Signer
from verifier.blocks import Position
from verifier.signatures import BATCH, WORTH_PROCESSES, Signed, first_bad, flaw

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
DIGEST = hashlib.sha256(b"proposal").digest()
SIGNATURE = Signer("Org1MSP", "x", KEY, Authority("Org1MSP").certificate).sign(b"proposal")
R, S = decode_dss_signature(SIGNATURE)


def test_a_good_signature_has_no_flaw() -> None:
    assert flaw(PUBLIC, DIGEST, SIGNATURE) == ""


@pytest.mark.parametrize(
    ("signature", "told"),
    [
        (encode_dss_signature(R, ORDER - S), "low-S"),
        (encode_dss_signature(R, S ^ 1), "not the creator's"),
        (encode_dss_signature(0, 1), "not the creator's"),
        (SIGNATURE + b"\0", "DER"),
        (SIGNATURE[:-1], "DER"),
        (b"", "DER"),
    ],
)
def test_a_bad_signature_is_told(signature: bytes, told: str) -> None:
    assert told in flaw(PUBLIC, DIGEST, signature)


@pytest.mark.parametrize("count", [BATCH + 1, WORTH_PROCESSES + 1], ids=["in this process", "in many processes"])
def test_the_first_bad_one_is_found_among_many(count: int) -> None:
    many = [Signed(Position(number, 0), PUBLIC, DIGEST, SIGNATURE) for number in range(count)]
    assert first_bad(many) is None
    for number in (count - 1, count // 2):
        many[number] = Signed(Position(number, 0), PUBLIC, DIGEST, b"")
    bad = first_bad(many)
    assert bad is not None
    assert bad.at == Position(count // 2, 0)
