"""Whose certificate signed: chained to the organisation's CA of block 0, and valid when the creator says it signed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from verifier.creators import Creator

ROLE_ATTRIBUTE = x509.ObjectIdentifier("1.2.3.4.5.6.7.8.1")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PEM_BEGIN = b"-----BEGIN "


class CertificateRefused(ValueError):
    """A certificate that gives no right to sign for its organisation. Every reason has a class of its own."""


class UnreadableCertificate(CertificateRefused):
    pass


class UnknownOrganisation(CertificateRefused):
    pass


class ForeignIssuer(CertificateRefused):
    """Not signed by the CA of the organisation that the creator names."""


class WrongKind(CertificateRefused):
    """Another curve, another hash, or a CA's certificate where a person's belongs."""


class OutsideValidity(CertificateRefused):
    pass


class BadAttributes(CertificateRefused):
    """A role that is not text, or a subject without a name."""


@dataclass(frozen=True, slots=True)
class Actor:
    """What the ledger keeps of a signer."""

    msp: str
    role: str
    subject: str
    issuer: str


@dataclass(frozen=True)
class Identity:
    actor: Actor
    certificate: x509.Certificate

    @cached_property
    def key(self) -> bytes:
        return self.certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def check_valid_at(self, claimed_at_ms: int) -> None:
        check_validity(self.certificate, claimed_at_ms)


class Organisations:
    """The CAs of block 0. Each certificate is parsed and chained once; only its dates depend on the transaction."""

    def __init__(self, authorities: Mapping[str, bytes]) -> None:
        self._authorities = {msp: load_authority(der, msp) for msp, der in authorities.items()}
        self._known: dict[Creator, Identity] = {}

    def identify(self, creator: Creator, claimed_at_ms: int) -> Identity:
        identity = self._known.get(creator)
        if identity is None:
            identity = self._known[creator] = self._chain(creator)
        identity.check_valid_at(claimed_at_ms)
        check_validity(self._authorities[creator.msp], claimed_at_ms)
        return identity

    def _chain(self, creator: Creator) -> Identity:
        if creator.msp not in self._authorities:
            raise UnknownOrganisation(f"block 0 names no organisation {creator.msp}")
        certificate = load_person(creator.certificate)
        check_issued(certificate, self._authorities[creator.msp], creator.msp)
        return Identity(actor_of(certificate, creator.msp), certificate)


def load_authority(der: bytes, msp: str) -> x509.Certificate:
    try:
        authority = x509.load_der_x509_certificate(der)
        check_curve(authority)
        if not authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise WrongKind(f"the certificate of {msp} in block 0 is no CA's")
    except (ValueError, x509.ExtensionNotFound) as error:
        if isinstance(error, CertificateRefused):
            raise
        raise UnreadableCertificate(f"the CA of {msp}: {error}") from error
    check_issued(authority, authority, msp)
    return authority


def load_person(pem: bytes) -> x509.Certificate:
    if pem.count(PEM_BEGIN) != 1:
        raise UnreadableCertificate("not one certificate")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        authority = is_authority(certificate)
    except ValueError as error:
        raise UnreadableCertificate(str(error)) from error
    if authority:
        raise WrongKind("a CA's certificate signs no transactions")
    check_curve(certificate)
    return certificate


def is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def check_curve(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise WrongKind("the key is not on P-256")


def check_issued(certificate: x509.Certificate, authority: x509.Certificate, msp: str) -> None:
    """`verify_directly_issued_by` compares names and checks the signature, by whatever hash the certificate names."""
    if not isinstance(certificate.signature_hash_algorithm, SHA256):
        raise WrongKind("the certificate is not signed with SHA-256")
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise ForeignIssuer(f"not issued by the CA of {msp}") from error


def check_validity(certificate: x509.Certificate, claimed_at_ms: int) -> None:
    moment = EPOCH + timedelta(milliseconds=min(claimed_at_ms, 253402300799000))
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        raise OutsideValidity(
            f"{common_name(certificate.subject)} is valid from {certificate.not_valid_before_utc} to "
            f"{certificate.not_valid_after_utc}, the transaction claims {moment}"
        )


def actor_of(certificate: x509.Certificate, msp: str) -> Actor:
    subject = common_name(certificate.subject)
    if not subject:
        raise BadAttributes("the subject has no common name")
    return Actor(msp, role_of(certificate), subject, common_name(certificate.issuer))


def role_of(certificate: x509.Certificate) -> str:
    """As Fabric's CA writes it: {"attrs":{"role":…}}. A creator without one may still carry what others signed."""
    try:
        extension = certificate.extensions.get_extension_for_oid(ROLE_ATTRIBUTE).value
    except x509.ExtensionNotFound:
        return ""
    try:
        role = json.loads(extension.value)["attrs"].get("role", "")  # type: ignore[attr-defined]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BadAttributes("the attributes are not JSON with attrs") from error
    if not isinstance(role, str):
        raise BadAttributes("the role is not text")
    return role


def common_name(name: x509.Name) -> str:
    values = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(values[0].value) if values else ""
