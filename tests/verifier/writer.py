"""A second implementation of docs/ledger.md's blocks, for tests: it writes what `verifier` reads, and shares no code.

It has what the operator of an embedded ledger has: the ledger's key, the CAs' keys, everybody's certificates.
"""

import hashlib
import json
import struct
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
ROLE_OID = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")


def lv(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def name_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


@dataclass
class Authority:
    msp: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.certificate = self.issue(self.key.public_key(), f"ca.{self.msp}", authority=True, lifetime=10 * YEAR)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def issue(
        self,
        public: ec.EllipticCurvePublicKey,
        subject: str,
        role: str = "",
        *,
        authority: bool = False,
        start: datetime = START - timedelta(days=1),
        lifetime: timedelta = YEAR,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(subject))
            .issuer_name(name_of(f"ca.{self.msp}"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + lifetime)
        )
        if authority:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if role:
            attributes = canonical({"attrs": {"role": role}})
            builder = builder.add_extension(x509.UnrecognizedExtension(ROLE_OID, attributes), critical=False)
        return builder.sign(self.key, hashes.SHA256())


@dataclass
class Signer:
    msp: str
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def creator(self) -> bytes:
        return protobuf(1, self.msp.encode()) + protobuf(2, self.pem)

    def sign(self, payload: bytes) -> bytes:
        r, s = decode_dss_signature(self.key.sign(payload, ec.ECDSA(hashes.SHA256())))
        return encode_dss_signature(r, min(s, abs(ORDER - s)))  # of another curve, s may be above


def protobuf(number: int, value: bytes) -> bytes:
    size, prefix = len(value), bytes(((number << 3) | 2,))
    while size > 0x7F:
        prefix += bytes((size & 0x7F | 0x80,))
        size >>= 7
    return prefix + bytes((size,)) + value


@dataclass(frozen=True)
class Envelope:
    """A transaction in parts, so that a test can bend one and leave the others."""

    genesis: bytes
    creator: bytes
    function: str
    arguments: tuple[bytes, ...]
    nonce: bytes
    claimed_at: int
    signature: bytes = b""
    reads: tuple[tuple[str, bytes], ...] = ()
    writes: tuple[tuple[str, bytes], ...] = ()
    result: bytes = b"{}"
    event: str = ""
    payload: bytes = b""
    format: bytes = b"custody.tx.1"

    @property
    def proposal(self) -> bytes:
        return lv(
            self.format,
            self.genesis,
            self.creator,
            self.function.encode(),
            lv(*self.arguments),
            self.nonce,
            struct.pack(">Q", self.claimed_at),
        )

    @property
    def txid(self) -> str:
        return sha256(self.proposal).hex()

    def signed(self, signer: Signer) -> "Envelope":
        return replace(self, signature=signer.sign(self.proposal))

    def encode(self) -> bytes:
        reads = lv(*(lv(key.encode(), version) for key, version in self.reads))
        writes = lv(*(lv(key.encode(), value) for key, value in self.writes))
        effects = lv(reads, writes, self.result, self.event.encode(), self.payload)
        return lv(self.proposal, self.signature, effects)


def event_payload(writes: tuple[tuple[str, bytes], ...]) -> bytes:
    shown = (canonical(key) + b":" + value for key, value in writes if not key.startswith("record/"))
    return b'{"writes":{' + b",".join(shown) + b"}}"


def encode_block(key: Ed25519PrivateKey, number: int, previous: bytes, transactions: list[bytes]) -> bytes:
    header = struct.pack(">Q", number) + previous + sha256(*(sha256(tx) for tx in transactions))
    return lv(header, lv(*transactions), key.sign(block_hash(header)))


def block_hash(header: bytes) -> bytes:
    return sha256(b"custody.block.1", header)


def hash_of(block: bytes) -> bytes:
    return block_hash(block[4:76])


def configuration(key: Ed25519PrivateKey, authorities: list[Authority], **other: object) -> bytes:
    document = {
        "created_at": int(START.timestamp()),
        "kind": "embedded",
        "ledger_key": key.public_key().public_bytes_raw().hex(),
        "organisations": [{"ca": authority.der.hex(), "msp": authority.msp} for authority in authorities],
        "rules": 1,
        "schema": "ledger.1",
    }
    return canonical({**document, **other})
