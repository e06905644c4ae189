"""A private key under a passphrase, as PKCS#8 that OpenSSL reads.

`cryptography` writes PBES2 with 2,048 rounds of PBKDF2, which a graphics card tries millions of times a second.
The same structure with 600,000 rounds is a few lines of DER.
"""

import base64
import os
import textwrap

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ROUNDS = 600_000

_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d02090500")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def encrypted_pem(key_info: bytes, passphrase: str) -> bytes:
    """`key_info` is an unencrypted PKCS#8 PrivateKeyInfo in DER."""
    salt, initial = os.urandom(16), os.urandom(16)
    key = PBKDF2HMAC(hashes.SHA256(), 32, salt, ROUNDS).derive(passphrase.encode())
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(initial)).encryptor()
    sealed = encryptor.update(padder.update(key_info) + padder.finalize()) + encryptor.finalize()
    return _pem(_sequence(_scheme(salt, initial), _octets(sealed)))


def _scheme(salt: bytes, initial: bytes) -> bytes:
    rounds = _element(0x02, ROUNDS.to_bytes(3, "big"))
    derivation = _sequence(_PBKDF2, _sequence(_octets(salt), rounds, _sequence(_HMAC_SHA256)))
    return _sequence(_PBES2, _sequence(derivation, _sequence(_AES_256_CBC, _octets(initial))))


def _sequence(*parts: bytes) -> bytes:
    return _element(0x30, b"".join(parts))


def _octets(value: bytes) -> bytes:
    return _element(0x04, value)


def _element(tag: int, value: bytes) -> bytes:
    length = len(value)
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (size if length < 128 else bytes([0x80 | len(size)]) + size) + value


def _pem(der: bytes) -> bytes:
    lines = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64))
    return f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{lines}\n-----END ENCRYPTED PRIVATE KEY-----\n".encode()
