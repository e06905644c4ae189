"""Blobs, addresses, wraps and plaintexts that must open and decode to what is said here."""

import base64
import hashlib

import numpy as np

from golden.aggregate import floats
from golden.records import GENESIS, hashed
from sealed.cid import address_of
from sealed.codec import MAGIC, decode_update, decode_version
from sealed.elements import content_bytes, encode_content
from sealed.fldiff import Context, open_blob, seal
from sealed.keys import SealingKey, Wrap, unwrap_key
from sealed.records import encode
from sealed.tensors import Tensor, Tensors, spec_of, weights_hash

KEY = hashlib.sha256(b"a blob's key").digest()
SALT = hashlib.sha256(b"a blob's salt").digest()
RECIPIENT = hashlib.sha256(b"recipient").digest()
DEK = hashed("a blob's dek")[:32]
# Wrapping draws a fresh ephemeral key each time, so this one was made once.
WRAP: Wrap = {
    "kid": "1ecf352002cc3adca5bb672568e084a8",
    "wrap": (
        "lqVSeDeRGK8z8McWNi5pZ9h8NOFGICK5wI1aw7XM8V9fj2YKgKGDja5kQOoakpBSVErDdUptW/iY+jxOGISSFJtWMxtoJLGxOXjkE2z+Kkk="
    ),
}
PLACES: dict[str, Context] = {
    "of an update": {
        "base": hashed("version 4"), "codec": "bf16.1", "dek": DEK, "genesis": GENESIS, "kind": "update",
        "model": "ward-triage", "number": 5, "participant": "clinic-a",
    },
    "of a genesis": {
        "base": "", "codec": "whole.1", "dek": DEK, "genesis": GENESIS, "kind": "version", "model": "ward-triage",
        "number": 0, "participant": "",
    },
}  # fmt: skip


def numbered(length: int) -> bytes:
    """Byte i is i·i mod 251."""
    numbers = np.arange(length, dtype=np.uint64)
    return (numbers * numbers % np.uint64(251)).astype(np.uint8).tobytes()


def _blob(place: str, length: int) -> dict[str, object]:
    ctx, plaintext = PLACES[place], numbered(length)
    blob = seal(plaintext, ctx, KEY, SALT)
    expected = {name: value for name, value in ctx.items() if name != "dek"}
    assert open_blob(blob, expected, lambda _: KEY) == plaintext
    short = {"hex": blob.hex()} if length < 100 else {}
    return {"place": place, "length": length, "address": address_of(blob), **short}


def _prefix_bytes(place: str) -> int:
    return len(seal(b"", PLACES[place], KEY, SALT)) - 16


def _blobs() -> list[dict[str, object]]:
    """Around every boundary: nothing, one segment, exactly one, one byte more; the same for three."""
    first = 2**20 - 16 - _prefix_bytes("of an update") - len("1048576") + len("0")
    lengths = [0, 1, 64, first - 1, first, first + 1, first + 2 * (2**20 - 16), first + 2 * (2**20 - 16) + 1]
    return [_blob("of an update", length) for length in lengths] + [_blob("of a genesis", 16)]


def _stored(content: bytes) -> bytes:
    """A zstd frame with its content as it is: what a compressor makes of it depends on the compressor's version."""
    size = len(content)
    declared = b"\x20" + bytes([size]) if size < 256 else b"\x60" + (size - 256).to_bytes(2, "little")
    return b"\x28\xb5\x2f\xfd" + declared + (1 | size << 3).to_bytes(3, "little") + content


def _plaintext_of(codec: str, trained: Tensors, base: Tensors) -> bytes:
    frames = [
        _stored(encode_content(codec, spec, trained[spec.name], base[spec.name]).tobytes()) for spec in spec_of(base)
    ]
    entries = [
        {"dtype": spec.dtype, "name": spec.name, "shape": list(spec.shape), "size": len(frame)}
        for spec, frame in zip(spec_of(base), frames, strict=True)
    ]
    assert all(content_bytes(codec, spec) < 65792 for spec in spec_of(base))
    header = encode({"codec": codec, "tensors": entries})
    return b"".join([MAGIC, len(header).to_bytes(4, "little"), header, *frames])


def weights_of_seed(seed: int) -> Tensors:
    return {
        "conv.weight": floats(seed, (2, 3, 3, 3), 0.1),
        "fc.weight": floats(seed + 1, (20, 26), 0.1),
        "fc.bias": floats(seed + 2, (20,), 0.1),
        "scale": np.array(1.5 + seed / 8, np.float32),
        "norm.batches": np.array(seed, np.int64),
        "seen": np.array([seed, 255 - seed], np.uint8),
        "mask": np.array([True, seed % 2 == 0]),
        "gefühl": floats(seed + 3, (1, 3), 0.1),
        "empty": np.zeros((0, 3), np.float32),
    }


def _codec(codec: str) -> dict[str, object]:
    base, trained = weights_of_seed(1), weights_of_seed(2)
    plaintext = _plaintext_of(codec, trained, base)
    shown: dict[str, object] = {"codec": codec, "plaintext": base64.b64encode(plaintext).decode("ascii")}
    if codec in ("whole.1", "xor.1"):
        weights = decode_version(plaintext, base if codec == "xor.1" else None, spec_of(base))
        shown |= {"weights": weights_hash(weights)}
    if codec != "whole.1":
        shown |= {"differences": {name: _hex(value) for name, value in decode_update(plaintext, base).items()}}
    return shown


def _hex(value: Tensor) -> str:
    return value.tobytes().hex()


def _base() -> dict[str, object]:
    base = weights_of_seed(1)
    tensors = {
        spec.name: {"dtype": spec.dtype, "shape": list(spec.shape), "hex": _hex(base[spec.name])}
        for spec in spec_of(base)
    }
    return {"tensors": tensors, "weights": weights_hash(base)}


def vectors() -> dict[str, object]:
    recipient = SealingKey.of_seed(RECIPIENT)
    assert unwrap_key([WRAP], recipient, DEK, hashed("blob")) == KEY
    return {
        "key": KEY.hex(),
        "salt": SALT.hex(),
        "places": PLACES,
        "blobs": _blobs(),
        "wrap": {
            "private": RECIPIENT.hex(), "public": recipient.public, "dek": DEK, "sha256": hashed("blob"), **WRAP,
        },
        "base": _base(),
        "codecs": [_codec(codec) for codec in ("whole.1", "xor.1", "bf16.1", "int8.1")],
    }  # fmt: skip
