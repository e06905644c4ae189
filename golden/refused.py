"""Bytes that no implementation may take for a record."""

import base64
import json
from collections.abc import Callable
from functools import partial

from golden.records import CID, GENESIS, POLICY, hashed, samples
from sealed.records import LIMIT, LIMITS, Record, RecordError, check, encode, parse, record_at, text_at

MEGABYTE = 2**20


# Refused whatever the schema, by the grammar of canonical JSON alone.
UNPARSABLE: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("no object: an array", b"[]"),
    ("no object: a string", b'"a"'),
    ("no object: a number", b"1"),
    ("no object: true", b"true"),
    ("null", b'{"a":null}'),
    ("a float", b'{"a":1.5}'),
    ("a float that is a whole number", b'{"a":1.0}'),
    ("an exponent", b'{"a":1e3}'),
    ("an exponent, in capitals", b'{"a":1E3}'),
    ("a negative exponent", b'{"a":10e-1}'),
    ("NaN", b'{"a":NaN}'),
    ("infinity", b'{"a":Infinity}'),
    ("minus infinity", b'{"a":-Infinity}'),
    ("minus zero", b'{"a":-0}'),
    ("a leading zero", b'{"a":01}'),
    ("a negative leading zero", b'{"a":-01}'),
    ("two zeros", b'{"a":00}'),
    ("a plus sign", b'{"a":+1}'),
    ("a minus sign alone", b'{"a":-}'),
    ("hexadecimal", b'{"a":0x10}'),
    ("a digit that is not ASCII", '{"a":\u0661}'.encode()),
    ("an underscore between digits", b'{"a":1_000}'),
    ("2^53", b'{"a":9007199254740992}'),
    ("-2^53", b'{"a":-9007199254740992}'),
    ("2^53 + 1, which a float reads as 2^53", b'{"a":9007199254740993}'),
    ("2^63", b'{"a":9223372036854775808}'),
    ("2^64 + 1, which wraps to 1", b'{"a":18446744073709551617}'),
    ("a number of 5,000 digits", b'{"a":' + b"9" * 5000 + b"}"),
    ("a key twice", b'{"a":1,"a":1}'),
    ("a key twice, with another value", b'{"a":1,"a":2}'),
    ("a key twice, once escaped", b'{"a":1,"\\u0061":2}'),
    ("a key twice in an inner object", b'{"a":{"b":1,"b":1}}'),
    ("keys out of order", b'{"b":1,"a":2}'),
    ("inner keys out of order", b'{"a":[{"d":1,"c":2}]}'),
    ("keys sorted without regard to case", b'{"a":1,"B":2}'),
    ("an empty key", b'{"":1}'),
    ("a key of 65 characters", b'{"' + b"k" * 65 + b'":1}'),
    ("a key with a space", b'{"a b":1}'),
    ("a key with a slash", b'{"a/b":1}'),
    ("a key that is not ASCII, escaped", b'{"\\u00e9":1}'),
    ("an escaped key", b'{"\\u0061":1}'),
    ("a key without quotes", b"{a:1}"),
    ("single quotes", b"{'a':1}"),
    ("a space after the colon", b'{"a": 1}'),
    ("a space after the comma", b'{"a":1, "b":2}'),
    ("a space inside an empty object", b"{ }"),
    ("a space before", b' {"a":1}'),
    ("a newline after", b'{"a":1}\n'),
    ("a tab inside", b'{"a":\t1}'),
    ("a carriage return inside", b'{"a":[1,\r2]}'),
    ("a NUL after", b'{"a":1}\x00'),
    ("something after", b'{"a":1}{}'),
    ("a comma after", b'{"a":1},'),
    ("a comma at the end of an object", b'{"a":1,}'),
    ("a comma at the end of an array", b'{"a":[1,]}'),
    ("a comma at the start", b'{,"a":1}'),
    ("two commas", b'{"a":[1,,2]}'),
    ("a comment", b'{"a":1/**/}'),
    ("cut off", b'{"a":1'),
    ("cut off in a string", b'{"a":"b'),
    ("cut off in an escape", b'{"a":"\\u00'),
    ("cut off after a key", b'{"a"'),
    ("brackets that do not match", b'{"a":[1}]'),
    ("a byte order mark", b'\xef\xbb\xbf{"a":1}'),
    ("UTF-16", '{"a":1}'.encode("utf-16-le")),
    ("raw UTF-8", '{"a":"é"}'.encode()),
    ("raw Latin-1", '{"a":"é"}'.encode("latin-1")),
    ("a raw byte 0x7f", b'{"a":"\x7f"}'),
    ("a raw newline in a string", b'{"a":"\n"}'),
    ("a raw NUL in a string", b'{"a":"\x00"}'),
    ("upper-case hex in an escape", b'{"a":"\\u00E9"}'),
    ("an escape in capitals", b'{"a":"\\U00e9"}'),
    ("an escaped character that needs none", b'{"a":"\\u0041"}'),
    ("an escaped slash", b'{"a":"\\/"}'),
    ("a newline by number, not by name", b'{"a":"\\u000a"}'),
    ("a quote by number, not by a backslash", b'{"a":"\\u0022"}'),
    ("an escape that JSON does not have", b'{"a":"\\x41"}'),
    ("an escape with three digits", b'{"a":"\\u041"}'),
    ("a lone high surrogate", b'{"a":"\\ud800"}'),
    ("a lone low surrogate", b'{"a":"\\udc00"}'),
    ("surrogates in the wrong order", b'{"a":"\\udc00\\ud800"}'),
    ("a high surrogate before a letter", b'{"a":"\\ud800\\u0041"}'),
    ("two high surrogates", b'{"a":"\\ud800\\ud800"}'),
    ("a surrogate encoded as UTF-8", b'{"a":"\xed\xa0\x80"}'),
    ("True, of another language", b'{"a":True}'),
    ("true in capitals", b'{"a":TRUE}'),
    ("17 levels", b'{"a":' + b"[" * 16 + b"1" + b"]" * 16 + b"}"),
    ("17 levels, the last one empty", b'{"a":' + b"[" * 16 + b"]" * 16 + b"}"),
    ("17 levels of objects", b'{"a":' * 17 + b"1" + b"}" * 17),
    ("thousands of levels", b'{"a":' + b"[" * 7000 + b"]" * 7000 + b"}"),
    ("one byte over 16 KiB", b'{"a":"' + b"a" * (LIMIT - 7) + b'"}'),
]


SAMPLES = {text_at(record, "schema"): record for record in samples()}


def _change(schema: str, **fields: object) -> tuple[str, Record]:
    changed: Record = json.loads(json.dumps({**SAMPLES[schema], **fields}))
    return schema, changed


def _without(schema: str, field: str) -> tuple[str, Record]:
    return schema, {name: value for name, value in SAMPLES[schema].items() if name != field}


def _last_field(schema: str) -> str:
    return max(SAMPLES[schema].keys() - {"schema"})


def _policy(**fields: object) -> tuple[str, Record]:
    return _change("policy-proposal.1", policy={**POLICY, **fields})


def _metrics(**fields: object) -> tuple[str, Record]:
    return _change("validation.1", metrics={**record_at(SAMPLES["validation.1"], "metrics"), **fields})


def _blob(**fields: object) -> dict[str, object]:
    return {"cid": CID, "codec": "bf16.1", "sha256": hashed("blob"), "size": 1, **fields}


def _included(*names: str) -> list[dict[str, object]]:
    return [{"examples": 1, "participant": name, "update": hashed(name)} for name in names]


# Canonical bytes that break the schema which they name.
UNFIT: list[tuple[str, str, Record]] = [
    *[("a field more", *_change(schema, unknown=1)) for schema in sorted(SAMPLES)],
    *[("without its last field", *_without(schema, _last_field(schema))) for schema in sorted(SAMPLES)],
    ("a field in another case, beside the right one", *_change("promotion.1", Version=hashed("other"))),
    ("the schema in another case, beside the right one", *_change("promotion.1", Schema="rollback.1")),
    ("a schema that does not exist", "promotion.2", {**SAMPLES["promotion.1"], "schema": "promotion.2"}),
    ("a schema that is no string", "promotion.1", {**SAMPLES["promotion.1"], "schema": 1}),
    ("no schema", *_without("promotion.1", "schema")),
    ("a name in capitals", *_change("promotion.1", model="Ward-Triage")),
    ("an empty name", *_change("promotion.1", model="")),
    ("a name of 65 characters", *_change("promotion.1", model="m" * 65)),
    ("a name with a slash", *_change("promotion.1", model="ward/triage")),
    ("a name with a newline after it", *_change("promotion.1", model="ward-triage\n")),
    ("a hash in capitals", *_change("promotion.1", version=hashed("a").upper())),
    ("a hash of 63 digits", *_change("promotion.1", version=hashed("a")[1:])),
    ("a hash of 66 digits", *_change("promotion.1", version=hashed("a") + "00")),
    ("a hash with a newline after it", *_change("promotion.1", version=hashed("a") + "\n")),
    ("an empty hash where one is needed", *_change("promotion.1", version="")),
    ("a number as a string", *_change("promotion.1", expected_seq="0")),
    ("true as a number", *_change("promotion.1", expected_seq=True)),
    ("a negative count", *_change("promotion.1", expected_seq=-1)),
    ("a number as a flag", *_change("hold.1", held=1)),
    ("round 0", *_change("close.1", round=0)),
    ("an outcome that does not exist", *_change("close.1", outcome="open")),
    ("a reason that does not exist", *_change("close.1", reason_code="because")),
    ("an empty reason", *_change("close.1", reason_code="")),
    ("a status that does not exist", *_change("participant-status.1", status="suspended")),
    ("an MSP id with a space", *_change("participant.1", organisation="Org 1")),
    ("a label of 129 characters", *_change("rollback-request.1", incident="i" * 129)),
    ("a label with a tab", *_change("rollback-request.1", incident="INC\t1")),
    ("a label beyond ASCII", *_change("rollback-request.1", incident="Störung")),
    ("participants out of order", *_change("round.1", participants=["b", "a"])),
    ("a participant twice", *_change("round.1", participants=["a", "a"])),
    ("a participant that is a number", *_change("round.1", participants=[1])),
    ("hyperparameters with a flag", *_change("round.1", hyperparameters={"shuffle": True})),
    ("hyperparameters with an array", *_change("round.1", hyperparameters={"layers": [64, 64]})),
    ("an architecture without a name", *_change("model.1", architecture={"inputs": 64})),
    (
        "grants out of order",
        *_change("model.1", grants=[{"msp": "B", "role": "admin"}, {"msp": "A", "role": "admin"}]),
    ),
    ("a grant twice", *_change("model.1", grants=[{"msp": "A", "role": "admin"}] * 2)),
    ("a role that does not exist", *_change("model.1", grants=[{"msp": "A", "role": "root"}])),
    ("a grant with a field more", *_change("model.1", grants=[{"msp": "A", "role": "admin", "until": 1}])),
    ("keys without auditors", *_change("model.1", keys={"aggregator": GENESIS, "validator": GENESIS})),
    ("no examples", *_change("update.1", examples=0)),
    ("a codec that does not exist", *_change("update.1", blob=_blob(codec="gzip.1"))),
    ("a CIDv0", *_change("update.1", blob=_blob(cid="QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"))),
    ("a CID in another base", *_change("update.1", blob=_blob(cid=CID.upper()))),
    ("an empty blob", *_change("update.1", blob=_blob(size=0))),
    ("a blob with a field more", *_change("update.1", blob=_blob(name="x"))),
    ("what was reported as text", *_change("update.1", self_reported={"accuracy_bp": "9000"})),
    ("a rate over 10000", *_policy(severe_drop=10001)),
    ("a negative rate", *_policy(accuracy_tolerance=-1)),
    ("patience for nothing", *_policy(patience_threshold=0)),
    ("a rule that does not exist", *_policy(aggregation="mean.1")),
    ("genesis as a rule of aggregation", *_policy(aggregation="genesis.1")),
    ("a policy with a field more", *_policy(learning_rate=1)),
    ("included out of order", *_change("version.1", included=_included("b", "a"))),
    ("one participant included twice", *_change("version.1", included=_included("a", "a"))),
    ("a kind of version that does not exist", *_change("version.1", kind="fork")),
    ("an accuracy over 10000", *_metrics(accuracy_bp=10001)),
    ("a negative loss", *_metrics(loss_micro=-1)),
    ("recalls that are no array", *_metrics(class_recall_bp=9000)),
    ("a recall over 10000", *_metrics(class_recall_bp=[9000, 10001])),
    ("a metric as text", *_metrics(note="good")),
    ("a metric three arrays deep", *_metrics(cube=[[[1]]])),
    ("an empty batch", *_change("anchor-batch.1", items=[])),
    ("a batch of 101", *_change("anchor-batch.1", items=[{"manifest": "{}", "signature": "00" * 64}] * 101)),
    (
        "a batch with a signature of 127 digits",
        *_change("anchor-batch.1", items=[{"manifest": "{}", "signature": "0" * 127}]),
    ),
    ("a manifest that is an object", *_change("anchor-batch.1", items=[{"manifest": {}, "signature": "00" * 64}])),
    ("a manifest over 2 KiB", *_change("update.1", self_reported={f"metric_{n:04}": n for n in range(100)})),
]


def vectors() -> dict[str, object]:
    """`parse`: refused by Parse(bytes, 16384). `check`: parses, and is refused as a record of `schema`."""
    for why, data in UNPARSABLE:
        assert _refused(partial(parse, data)), why
    for why, schema, record in UNFIT:
        assert _refused(partial(check, record)), (schema, why)
        parse(encode(record), LIMITS.get(schema, LIMIT) + MEGABYTE)
    return {
        "parse": [{"why": why, "base64": _base64(data)} for why, data in UNPARSABLE],
        "check": [{"why": why, "schema": schema, "base64": _base64(encode(record))} for why, schema, record in UNFIT],
    }


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except RecordError:
        return True
    return False


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
