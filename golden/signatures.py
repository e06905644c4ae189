"""Signatures of participants, and keys that no one may register."""

import hashlib

from golden.records import GENESIS, hashed, samples
from sealed.keys import SigningKey, sealing_public_ok, signing_public_ok, verify
from sealed.records import encode, signing_text, text_at

_PRIME = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_ANY_TEXT = "01" + "00" * 63  # R is the neutral element and s is 0: fits every text under a key of order 1

_LOW_ORDER_Y = {
    "order 4": 0,
    "order 1": 1,
    "order 2": _PRIME - 1,
    "order 8": int.from_bytes(
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
    ),
    "order 8, the other": int.from_bytes(
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
    ),
}
_LOW_ORDER_U = {
    "order 4, u = 0": 0,
    "order 1, u = 1": 1,
    "order 8": int.from_bytes(
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"
    ),
    "order 8, the other": int.from_bytes(
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"
    ),
    "order 4, on the twist: u = p - 1": _PRIME - 1,
}


def _hex(number: int) -> str:
    return number.to_bytes(32, "little").hex()


def refused_signing_keys() -> list[dict[str, str]]:
    wrong = {**_LOW_ORDER_Y, **{f"not canonical: y = p + {n}": _PRIME + n for n in (0, 1, 3, 18)}}
    positive = [{"why": why, "public": _hex(y)} for why, y in wrong.items()]
    return positive + [{"why": f"{why}, x negative", "public": _hex(y | 1 << 255)} for why, y in wrong.items()]


def refused_sealing_keys() -> list[dict[str, str]]:
    low = [{"why": why, "public": _hex(u)} for why, u in _LOW_ORDER_U.items()]
    beyond = [{"why": f"not canonical: u = p + {more}", "public": _hex(_PRIME + more)} for more in (0, 1, 9, 18)]
    return [*low, *beyond, {"why": "not canonical: the highest bit is set", "public": _hex(9 | 1 << 255)}]


def _signed(schema: str, number: int) -> dict[str, str]:
    record = next(record for record in samples() if record["schema"] == schema)
    seed = hashlib.sha256(f"signer {number}".encode()).digest()
    key, data = SigningKey.of_seed(seed), encode(record)
    return {
        "seed": seed.hex(),
        "public": key.public,
        "genesis": GENESIS,
        "schema": text_at(record, "schema"),
        "bytes": data.decode("ascii"),
        "signature": key.sign(signing_text(schema, GENESIS, data)),
    }


def _refused_signatures(good: dict[str, str]) -> list[dict[str, str]]:
    r, s = good["signature"][:64], int.from_bytes(bytes.fromhex(good["signature"][64:]), "little")
    flipped = f"{int(good['signature'][:2], 16) ^ 1:02x}"
    return [
        {**good, "why": "of another ledger", "genesis": hashed("another block 0")},
        {**good, "why": "of another schema", "schema": "ack.1"},
        {**good, "why": "of other bytes", "bytes": good["bytes"].replace("1200", "1201")},
        {**good, "why": "by another key", "public": SigningKey.of_seed(b"\1" * 32).public},
        {**good, "why": "one bit flipped", "signature": flipped + good["signature"][2:]},
        {
            **good,
            "why": "s not below the order: the same signature, written otherwise",
            "signature": r + _hex(s + _ORDER),
        },
        {**good, "why": "empty", "signature": ""},
        {**good, "why": "63 bytes", "signature": good["signature"][2:]},
        {**good, "why": "65 bytes", "signature": good["signature"] + "00"},
        {**good, "why": "in capitals", "signature": good["signature"].upper()},
        {**good, "why": "fits every text under a key of order 1", "public": _hex(1), "signature": _ANY_TEXT},
    ]


def vectors() -> dict[str, object]:
    signed = [
        _signed(schema, number)
        for number, schema in enumerate(("update.1", "ack.1", "participant.1", "participant-key.1"))
    ]
    refused = _refused_signatures(signed[0])
    assert all(map(_verifies, signed))
    assert not any(map(_verifies, refused))
    assert not any(signing_public_ok(one["public"]) for one in refused_signing_keys())
    assert not any(sealing_public_ok(one["public"]) for one in refused_sealing_keys())
    return {
        "signatures": signed,
        "refused_signatures": refused,
        "refused_signing_keys": refused_signing_keys(),
        "refused_sealing_keys": refused_sealing_keys(),
    }


def _verifies(one: dict[str, str]) -> bool:
    text = signing_text(one["schema"], one["genesis"], one["bytes"].encode("ascii"))
    return verify(one["public"], text, one["signature"])
