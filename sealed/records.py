"""Records: canonical bytes that the writer encodes once and everyone else hashes.

`docs/records.md` is the format, `golden/` the bytes that this and `chaincode/contract/records.go` both reproduce.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

from sealed.kinds import LARGEST, RecordError
from sealed.schemas import LIMITS, RULE_NAMES, SCHEMAS, UPDATE_CODECS, VERSION_CODECS

__all__ = [
    "DEPTH", "LARGEST", "LIMIT", "LIMITS", "RULE_NAMES", "SCHEMAS", "UPDATE_CODECS", "VERSION_CODECS",
    "Record", "RecordError", "Value", "chain", "check", "encode", "flag_at", "list_at", "name_ok", "number_at",
    "parse", "record_at", "record_id", "records_at", "signing_text", "text_at", "text_hash",
]  # fmt: skip

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value]"
Record: TypeAlias = dict[str, Value]

LIMIT = 16 * 1024
DEPTH = 16
EMPTY_CHAIN = "00" * 32

_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_NAME = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST_INTEGER = len(str(-LARGEST))


def encode(record: Mapping[str, object]) -> bytes:
    _refuse_foreign(record, 1)
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def parse(data: bytes | str, limit: int = LIMIT) -> Record:
    """Read canonical bytes; anything that would not encode to the same bytes again is refused."""
    if len(data) > limit:
        raise RecordError(f"{len(data)} bytes are over the limit of {limit}")
    try:
        text = data if isinstance(data, str) else bytes(data).decode("ascii")
        record = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number
        )
        again = encode(record) if isinstance(record, dict) else b""
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecordError(f"not canonical JSON: {type(error).__name__}") from error
    if not isinstance(record, dict):
        raise RecordError("not an object")
    if again != text.encode("ascii", "replace"):
        raise RecordError("not canonical: it encodes to other bytes")
    return record


def record_id(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signing_text(schema: str, genesis: str, data: bytes) -> bytes:
    """What a participant signs. The genesis hash keeps a signature from being replayed on another ledger."""
    return f"{schema}|{genesis}|".encode("ascii") + data


def text_hash(salt: bytes, text: str) -> str:
    return hashlib.sha256(salt + text.encode()).hexdigest()


def chain(manifest_ids: Sequence[str], start: str = EMPTY_CHAIN) -> str:
    """The hash chain of a round over accepted manifests, in the order in which the ledger accepted them."""
    for manifest_id in manifest_ids:
        start = hashlib.sha256(bytes.fromhex(start) + bytes.fromhex(manifest_id)).hexdigest()
    return start


def check(record: Mapping[str, object]) -> None:
    """Hold a record against its schema: exactly its fields, each of its kind, within its size."""
    schema = record.get("schema")
    if not isinstance(schema, str) or schema not in SCHEMAS:
        raise RecordError(f"unknown schema {schema!r}")
    SCHEMAS[schema](record, schema)
    if len(encode(record)) > LIMITS.get(schema, LIMIT):
        raise RecordError(f"{schema}: over {LIMITS.get(schema, LIMIT)} bytes")


def name_ok(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def text_at(record: Record, *path: str) -> str:
    value = _at(record, path)
    if not isinstance(value, str):
        raise RecordError(f"{'.'.join(path)}: not a string")
    return value


def number_at(record: Record, *path: str) -> int:
    value = _at(record, path)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{'.'.join(path)}: not an integer")
    return value


def flag_at(record: Record, *path: str) -> bool:
    value = _at(record, path)
    if not isinstance(value, bool):
        raise RecordError(f"{'.'.join(path)}: not true or false")
    return value


def list_at(record: Record, *path: str) -> list[Value]:
    value = _at(record, path)
    if not isinstance(value, list):
        raise RecordError(f"{'.'.join(path)}: not an array")
    return value


def record_at(record: Record, *path: str) -> Record:
    value = _at(record, path)
    if not isinstance(value, dict):
        raise RecordError(f"{'.'.join(path)}: not an object")
    return value


def records_at(record: Record, *path: str) -> list[Record]:
    items = list_at(record, *path)
    found = [item for item in items if isinstance(item, dict)]
    if len(found) != len(items):
        raise RecordError(f"{'.'.join(path)}: not an array of objects")
    return found


def _at(record: Record, path: Sequence[str]) -> Value:
    value: Value = record
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise RecordError(f"{'.'.join(path)}: missing")
        value = value[name]
    return value


def _refuse_foreign(value: object, level: int) -> None:
    """json.dumps would write floats, null, lone surrogates and unordered look-alikes without a word."""
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            raise RecordError("a lone surrogate")
    elif isinstance(value, int):
        if not -LARGEST <= value <= LARGEST:
            raise RecordError(f"{value} is not below 2^53")
    elif not isinstance(value, dict | list):
        raise RecordError(f"{type(value).__name__} has no place in a record")
    elif level > DEPTH:
        raise RecordError(f"more than {DEPTH} levels deep")
    else:
        _refuse_foreign_items(value, level + 1)


def _refuse_foreign_items(value: dict[object, object] | list[object], level: int) -> None:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not _KEY.fullmatch(key):
                raise RecordError(f"{key!r} is no key")
    for item in value.values() if isinstance(value, dict) else value:
        _refuse_foreign(item, level)


def _object(pairs: list[tuple[str, Value]]) -> Record:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RecordError("a key twice")
    return found


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise RecordError("an integer that is not below 2^53")
    return int(digits)


def _no_number(digits: str) -> NoReturn:
    raise RecordError(f"{digits[:32]} is no integer")
