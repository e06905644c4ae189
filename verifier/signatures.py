"""ECDSA signatures of transactions: one encoding, low-S, checked by as many processes as there are cores when many."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from verifier.blocks import Position

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BATCH = 512
WORTH_PROCESSES = 4 * BATCH  # below this, starting processes costs more than it saves


@dataclass(frozen=True, slots=True)
class Signed:
    at: Position
    key: bytes  # SubjectPublicKeyInfo, DER
    digest: bytes  # SHA-256 of what was signed: ten thousands of them wait for each other in memory
    signature: bytes


@dataclass(frozen=True, slots=True)
class BadSignature:
    at: Position
    reason: str


def first_bad(signed: Sequence[Signed]) -> BadSignature | None:
    """The first signature that does not hold, in the order given."""
    return next((bad for bad in _verdicts(signed) if bad), None)


def _verdicts(signed: Sequence[Signed]) -> Iterator[BadSignature | None]:
    batches = [signed[start : start + BATCH] for start in range(0, len(signed), BATCH)]
    workers = min(os.cpu_count() or 1, len(batches))
    if len(signed) < WORTH_PROCESSES or workers < 2:
        yield from map(first_bad_of_batch, batches)
        return
    # Not fork: the caller may have threads. Not forkserver: it talks over a socket, and verification opens none.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(first_bad_of_batch, batches)


def first_bad_of_batch(batch: Sequence[Signed]) -> BadSignature | None:
    for signed in batch:
        if reason := flaw(signed.key, signed.digest, signed.signature):
            return BadSignature(signed.at, reason)
    return None


def flaw(key: bytes, digest: bytes, signature: bytes) -> str:
    """Why the signature does not hold, or an empty string."""
    try:
        r, s = decode_dss_signature(signature)
    except ValueError:
        return "the signature is not DER"
    if encode_dss_signature(r, s) != signature:
        return "the signature has a second encoding"
    if s > P256_ORDER // 2:
        return "the signature is not low-S"
    try:
        public_key(key).verify(signature, digest, ec.ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return "the signature is not the creator's"
    return ""


@lru_cache(maxsize=4096)
def public_key(der: bytes) -> ec.EllipticCurvePublicKey:
    key = load_der_public_key(der)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key
