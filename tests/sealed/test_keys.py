"""Keys: files that only their owner reads, signatures bound to a ledger, wraps bound to a blob."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from sealed import pkcs8
from sealed.keys import (
    KeyFileError,
    NoWrap,
    PersonKey,
    SealingKey,
    SigningKey,
    Wrap,
    WrongKey,
    kid_of,
    sealing_public_ok,
    signing_public_ok,
    unwrap_key,
    verify,
    wrap_key,
)
from sealed.records import signing_text

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
VECTORS: dict[str, list[dict[str, str]]] = json.loads((GOLDEN / "signatures.json").read_text("ascii"))
KINDS: list[Any] = [SigningKey, SealingKey, PersonKey]
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY, DEK, SHA256 = b"k" * 32, "d" * 32, "5" * 64


@pytest.fixture(autouse=True)
def quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs8, "ROUNDS", 70_000)


def public_of(key: Any) -> str:
    return str(getattr(key, "public", None) or key.public_pem)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", [None, "correct horse Zürich"])
def test_a_key_is_saved_and_loaded(tmp_path: Path, kind: Any, passphrase: str | None) -> None:
    key = kind.generate()
    key.save(tmp_path / "key.pem", passphrase)
    assert public_of(kind.load(tmp_path / "key.pem", passphrase)) == public_of(key)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", [None, "", "wrong"])
def test_a_locked_key_needs_its_passphrase(tmp_path: Path, kind: Any, passphrase: str | None) -> None:
    kind.generate().save(tmp_path / "key.pem", "right")
    with pytest.raises(KeyFileError):
        kind.load(tmp_path / "key.pem", passphrase)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    SigningKey.generate().save(tmp_path / "key.pem")
    for mode in (0o640, 0o604, 0o644, 0o620, 0o601):
        (tmp_path / "key.pem").chmod(mode)
        with pytest.raises(KeyFileError, match="chmod 600"):
            SigningKey.load(tmp_path / "key.pem")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = SigningKey.generate()
    first.save(tmp_path / "key.pem")
    with pytest.raises(KeyFileError):
        SigningKey.generate().save(tmp_path / "key.pem")
    assert SigningKey.load(tmp_path / "key.pem").public == first.public


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_key_of_another_kind_is_refused(tmp_path: Path, kind: Any, other: Any) -> None:
    if kind is other:
        return
    other.generate().save(tmp_path / "key.pem")
    with pytest.raises(KeyFileError):
        kind.load(tmp_path / "key.pem")


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key.pem").touch(0o600)
    (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(KeyFileError):
        SigningKey.load(tmp_path / "key.pem")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        SigningKey.load(tmp_path / "none.pem")


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
def test_openssl_reads_a_locked_key(tmp_path: Path) -> None:
    SigningKey.generate().save(tmp_path / "key.pem", "right")
    command = ["openssl", "pkey", "-in", str(tmp_path / "key.pem"), "-noout", "-passin"]
    assert subprocess.run([*command, "pass:right"], check=False, capture_output=True).returncode == 0
    assert subprocess.run([*command, "pass:wrong"], check=False, capture_output=True).returncode != 0


@pytest.mark.parametrize("vector", VECTORS["signatures"], ids=lambda v: v["schema"])
def test_signed_vectors_are_reproduced(vector: dict[str, str]) -> None:
    key = SigningKey.of_seed(bytes.fromhex(vector["seed"]))
    text = signing_text(vector["schema"], vector["genesis"], vector["bytes"].encode("ascii"))
    assert key.public == vector["public"]
    assert key.sign(text) == vector["signature"]
    assert verify(vector["public"], text, vector["signature"])


@pytest.mark.parametrize("vector", VECTORS["refused_signatures"], ids=lambda v: v["why"])
def test_other_signatures_are_refused(vector: dict[str, str]) -> None:
    text = signing_text(vector["schema"], vector["genesis"], vector["bytes"].encode("ascii"))
    assert not verify(vector["public"], text, vector["signature"])


@pytest.mark.parametrize("vector", VECTORS["refused_signing_keys"], ids=lambda v: v["why"])
def test_unfit_signing_keys_are_refused(vector: dict[str, str]) -> None:
    assert not signing_public_ok(vector["public"])


@pytest.mark.parametrize("vector", VECTORS["refused_sealing_keys"], ids=lambda v: v["why"])
def test_unfit_sealing_keys_are_refused(vector: dict[str, str]) -> None:
    assert not sealing_public_ok(vector["public"])
    with pytest.raises(WrongKey):
        wrap_key(KEY, vector["public"], DEK, SHA256)


@pytest.mark.parametrize("public", ["", "00", "zz" * 32, "AB" * 32, "0" * 63, "0" * 66, "é" * 64, " " + "0" * 63])
def test_what_is_no_key_at_all_is_refused(public: str) -> None:
    assert not signing_public_ok(public)
    assert not sealing_public_ok(public)
    assert not verify(public, b"text", "00" * 64)


def test_fresh_keys_are_fit() -> None:
    for _ in range(50):
        assert signing_public_ok(SigningKey.generate().public)
        assert sealing_public_ok(SealingKey.generate().public)


def test_a_key_that_is_no_point_of_the_curve_is_refused() -> None:
    assert not signing_public_ok((2).to_bytes(32, "little").hex())


def test_a_wrap_opens_for_its_recipient_alone() -> None:
    one, other = SealingKey.generate(), SealingKey.generate()
    wraps = [wrap_key(KEY, one.public, DEK, SHA256)]
    assert wraps[0]["kid"] == kid_of(one.public) == one.kid
    assert unwrap_key(wraps, one, DEK, SHA256) == KEY
    with pytest.raises(NoWrap):
        unwrap_key(wraps, other, DEK, SHA256)
    with pytest.raises(NoWrap):
        unwrap_key([], one, DEK, SHA256)


@pytest.mark.parametrize(("dek", "sha256"), [("e" * 32, SHA256), (DEK, "6" * 64), ("", ""), (DEK[:-1], "d|" + SHA256)])
def test_a_wrap_is_bound_to_its_blob(dek: str, sha256: str) -> None:
    key = SealingKey.generate()
    with pytest.raises(WrongKey):
        unwrap_key([wrap_key(KEY, key.public, DEK, SHA256)], key, dek, sha256)


def test_a_wrap_under_another_name_does_not_open() -> None:
    one, other = SealingKey.generate(), SealingKey.generate()
    stolen: Wrap = {**wrap_key(KEY, one.public, DEK, SHA256), "kid": other.kid}
    with pytest.raises(WrongKey):
        unwrap_key([stolen], other, DEK, SHA256)


def test_no_flipped_bit_of_a_wrap_is_accepted() -> None:
    key = SealingKey.generate()
    wrap = wrap_key(KEY, key.public, DEK, SHA256)
    sealed = base64.b64decode(wrap["wrap"])
    for position in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[position // 8] ^= 1 << position % 8
        with pytest.raises(WrongKey):
            unwrap_key([{**wrap, "wrap": base64.b64encode(flipped).decode()}], key, DEK, SHA256)


@pytest.mark.parametrize("text", ["", "####", "AAAA", "é"])
def test_what_is_no_wrap_is_refused(text: str) -> None:
    key = SealingKey.generate()
    with pytest.raises(WrongKey):
        unwrap_key([{"kid": key.kid, "wrap": text}], key, DEK, SHA256)


def test_a_wrap_that_holds_no_key_is_refused() -> None:
    key = SealingKey.generate()
    with pytest.raises(WrongKey):
        unwrap_key([wrap_key(b"short", key.public, DEK, SHA256)], key, DEK, SHA256)


def test_persons_sign_with_a_low_s() -> None:
    key = PersonKey.generate()
    public = serialization.load_pem_public_key(key.public_pem.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    for number in range(64):
        signature = key.sign(b"payload %d" % number)
        assert utils.decode_dss_signature(signature)[1] <= P256_ORDER // 2
        public.verify(signature, b"payload %d" % number, ec.ECDSA(hashes.SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(key.sign(b"one"), b"another", ec.ECDSA(hashes.SHA256()))


def test_a_person_asks_for_a_certificate() -> None:
    key = PersonKey.generate()
    request = x509.load_pem_x509_csr(key.csr("alice").encode())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=alice"


def test_a_person_has_no_key_of_another_curve(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "key.pem").touch(0o600)
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(KeyFileError):
        PersonKey.load(tmp_path / "key.pem")
