"""Keys: who signed, who may open, and who a person is.

Files are PKCS#8 in PEM, under a passphrase where one is given; a file that others can read is refused.
"""

import base64
import hashlib
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self, TypeAlias, TypedDict

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sealed.files import put_in_place
from sealed.pkcs8 import encrypted_pem

AnyKey: TypeAlias = Ed25519PrivateKey | X25519PrivateKey | ec.EllipticCurvePrivateKey

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_PRIME = 2**255 - 19
_ED25519_D = -121665 * pow(121666, -1, _PRIME) % _PRIME
# The y of the eight points of small order: 0, ±1, and the two of order 8.
_ED25519_LOW_ORDER = frozenset(
    {0, 1, _PRIME - 1}
    | {
        int.from_bytes(bytes.fromhex(y), "little")
        for y in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        )
    }
)
_X25519_LOW_ORDER = frozenset(
    {0, 1, _PRIME - 1}
    | {
        int.from_bytes(bytes.fromhex(u), "little")
        for u in (
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        )
    }
)
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class KeyFileError(ValueError):
    """A key file that is missing, of another kind, locked, or readable by others."""


class WrongKey(ValueError):
    """None of the wraps opens with this key."""


class NoWrap(WrongKey):
    """There is no wrap for this key: never entitled, or erased."""


class Wrap(TypedDict):
    kid: str
    wrap: str


class Signer(Protocol):
    """Signs as a participant; a token (PKCS#11) can stand here instead of a file."""

    @property
    def public(self) -> str: ...

    def sign(self, data: bytes) -> str: ...


class SigningKey:
    """Ed25519: a participant's, or a gateway's for its receipts."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()

    @classmethod
    def generate(cls) -> Self:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def of_seed(cls, seed: bytes) -> Self:
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: Path | str, passphrase: str | None = None) -> Self:
        private = _load(Path(path), passphrase)
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyFileError(f"{path}: holds a key of another kind")
        return cls(private)

    def save(self, path: Path | str, passphrase: str | None = None) -> None:
        _save(Path(path), self._private, passphrase)

    def sign(self, data: bytes) -> str:
        return self._private.sign(data).hex()


class SealingKey:
    """X25519: opens what was wrapped for its public half."""

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()
        self.kid = kid_of(self.public)

    @classmethod
    def generate(cls) -> Self:
        return cls(X25519PrivateKey.generate())

    @classmethod
    def of_seed(cls, seed: bytes) -> Self:
        return cls(X25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: Path | str, passphrase: str | None = None) -> Self:
        private = _load(Path(path), passphrase)
        if not isinstance(private, X25519PrivateKey):
            raise KeyFileError(f"{path}: holds a key of another kind")
        return cls(private)

    def save(self, path: Path | str, passphrase: str | None = None) -> None:
        _save(Path(path), self._private, passphrase)

    def unwrap(self, wrap: Wrap, info: bytes) -> bytes:
        try:
            return _SUITE.decrypt(base64.b64decode(wrap["wrap"], validate=True), self._private, info=info)
        except (InvalidTag, ValueError) as error:
            raise WrongKey(f"the wrap for {self.kid} does not open") from error


class PersonKey:
    """P-256: a person's own signature on the ledger."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(private.curve, ec.SECP256R1):
            raise KeyFileError(f"{private.curve.name} is not P-256")
        self._private = private
        self.public_pem = _public_pem(private.public_key())

    @classmethod
    def generate(cls) -> Self:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path | str, passphrase: str | None = None) -> Self:
        private = _load(Path(path), passphrase)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise KeyFileError(f"{path}: holds a key of another kind")
        return cls(private)

    def save(self, path: Path | str, passphrase: str | None = None) -> None:
        _save(Path(path), self._private, passphrase)

    def sign(self, payload: bytes) -> bytes:
        """ECDSA with SHA-256 in DER, with the low s that Fabric demands."""
        r, s = utils.decode_dss_signature(self._private.sign(payload, ec.ECDSA(hashes.SHA256())))
        return utils.encode_dss_signature(r, min(s, _P256_ORDER - s))

    def csr(self, common_name: str) -> str:
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(self._private, hashes.SHA256())
        return request.public_bytes(serialization.Encoding.PEM).decode()


def signing_public_ok(public: str) -> bool:
    """Canonical, a point of the curve, and not of small order (under such a key, one signature fits every text)."""
    encoded = _key_bytes(public)
    if encoded is None:
        return False
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y < _PRIME and y not in _ED25519_LOW_ORDER and _on_ed25519(y)


def sealing_public_ok(public: str) -> bool:
    """Canonical and not of small order (such a key agrees on zero with everyone)."""
    encoded = _key_bytes(public)
    if encoded is None:
        return False
    u = int.from_bytes(encoded, "little")
    return u < _PRIME and u not in _X25519_LOW_ORDER


def verify(public: str, data: bytes, signature: str) -> bool:
    signed = _lower_hex(signature, 64)
    if signed is None or not signing_public_ok(public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(signed, data)
    except InvalidSignature:
        return False
    return True


def kid_of(public: str) -> str:
    return hashlib.sha256(bytes.fromhex(public)).digest()[:16].hex()


def wrap_key(key: bytes, public: str, dek: str, blob_sha256: str) -> Wrap:
    """Seal a blob's key for one recipient, bound to that very blob."""
    if not sealing_public_ok(public):
        raise WrongKey(f"{public} is no X25519 public key")
    kid = kid_of(public)
    recipient = X25519PublicKey.from_public_bytes(bytes.fromhex(public))
    sealed = _SUITE.encrypt(key, recipient, info=_wrap_info(dek, blob_sha256, kid))
    return {"kid": kid, "wrap": base64.b64encode(sealed).decode("ascii")}


def unwrap_key(wraps: Sequence[Wrap], sealing: SealingKey, dek: str, blob_sha256: str) -> bytes:
    mine = [wrap for wrap in wraps if wrap["kid"] == sealing.kid]
    if not mine:
        raise NoWrap(f"no wrap for {sealing.kid}")
    key = sealing.unwrap(mine[0], _wrap_info(dek, blob_sha256, sealing.kid))
    if len(key) != 32:
        raise WrongKey(f"the wrap for {sealing.kid} holds no key")
    return key


def _wrap_info(dek: str, blob_sha256: str, kid: str) -> bytes:
    return f"fldiff/v1 wrap|{dek}|{blob_sha256}|{kid}".encode("ascii")


def _lower_hex(text: str, size: int) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == size and found.hex() == text else None


def _key_bytes(public: str) -> bytes | None:
    return _lower_hex(public, 32)


def _on_ed25519(y: int) -> bool:
    """-x² + y² = 1 + d·x²·y² has a root x where (y² - 1) / (d·y² + 1) is a square."""
    square = (y * y - 1) * pow(_ED25519_D * y * y + 1, -1, _PRIME) % _PRIME
    return pow(square, (_PRIME - 1) // 2, _PRIME) in (0, 1)


def _public_pem(public: ec.EllipticCurvePublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def _load(path: Path, passphrase: str | None) -> PrivateKeyTypes:
    _refuse_readable(path)
    secret = passphrase.encode() if passphrase else None
    try:
        return serialization.load_pem_private_key(path.read_bytes(), secret)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: {error}") from error


def _refuse_readable(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"{path}: others can read it; chmod 600 it")


def _save(path: Path, private: AnyKey, passphrase: str | None) -> None:
    """Never over a key that is already there: what it signed or opens would be lost."""
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    if passphrase:
        text = encrypted_pem(private.private_bytes(serialization.Encoding.DER, form, plain), passphrase)
    else:
        text = private.private_bytes(serialization.Encoding.PEM, form, plain)
    try:
        with put_in_place(path, new=True) as partial:
            partial.write_bytes(text)
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from error
