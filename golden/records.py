"""One record of every schema, and bytes that only the grammar of canonical JSON holds together."""

import hashlib

from sealed.keys import SealingKey, SigningKey
from sealed.records import SCHEMAS, Record, chain, check, encode, record_id
from sealed.tensors import weights_hash


def hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def seeded(name: str) -> SigningKey:
    return SigningKey.of_seed(hashlib.sha256(name.encode()).digest())


def sealing(name: str) -> str:
    return SealingKey.of_seed(hashlib.sha256(name.encode()).digest()).public


GENESIS = hashed("block 0")
MODEL = "ward-triage"
CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
SITES = ("clinic-a", "clinic-b")
HYPERPARAMETERS: Record = {
    "batch_size": 32, "learning_rate_micro": 50000, "local_epochs": 1, "optimizer": "sgd", "seed": 7,
}  # fmt: skip
POLICY: Record = {
    "accuracy_tolerance": 50, "severe_drop": 200, "patience_threshold": 3, "min_accuracy_threshold": 0,
    "min_class_recall": 0, "max_trigger_rate": 10000, "aggregation": "fedavg.1", "round_quorum": 10000,
    "ack_quorum": 10000, "convergence_patience": 10, "max_iterations": 100, "max_rollbacks": 5,
    "target_accuracy": 10000, "overtraining_threshold": 10000, "early_stopping_enabled": True,
    "enable_client_exclusion": True, "metrics_to_track": ["accuracy_bp"], "probe": hashed("probe"),
    "test": hashed("test"),
}  # fmt: skip
GRANTS: list[Record] = [
    {"msp": "Org1MSP", "role": "admin"}, {"msp": "Org1MSP", "role": "aggregator"},
    {"msp": "Org1MSP", "role": "operator"}, {"msp": "Org2MSP", "role": "approver"},
    {"msp": "Org2MSP", "role": "auditor"}, {"msp": "Org2MSP", "role": "validator"},
]  # fmt: skip


def _blob(name: str, codec: str) -> Record:
    return {"cid": CID, "codec": codec, "sha256": hashed(name), "size": 584867}


def _in_force() -> Record:
    keys: Record = {
        "aggregator": sealing("aggregator"),
        "validator": sealing("validator"),
        "auditors": [sealing("auditor")],
    }
    return {"grants": list(GRANTS), "keys": keys, "policy": dict(POLICY)}


def _id(record: Record) -> str:
    return record_id(encode(record))


def samples() -> list[Record]:
    """As a model's first weeks might have been, each citing the ones before."""
    genesis_version: Record = {
        "schema": "version.1", "model": MODEL, "kind": "genesis", "number": 0, "epoch": 0, "parent": "", "round": 0,
        "sealed": {"chain": chain([]), "count": 0}, "weights": weights_hash({}), "blob": _blob("version 0", "whole.1"),
        "rule": "genesis.1", "included": [], "excluded": [], "hyperparameters": {"seed": 7},
    }  # fmt: skip
    base = _id(genesis_version)
    manifests = [_manifest(site, base) for site in SITES]
    sealed = chain([_id(manifest) for manifest in manifests])
    version: Record = {
        "schema": "version.1", "model": MODEL, "kind": "aggregate", "number": 1, "epoch": 0, "parent": base, "round": 1,
        "sealed": {"chain": sealed, "count": 2}, "weights": hashed("weights 1"), "blob": _blob("version 1", "xor.1"),
        "rule": "fedavg.1",
        "included": [{"examples": 1200, "participant": SITES[0], "update": _id(manifests[0])}],
        "excluded": [
            {"participant": SITES[1], "rule": "distance.1", "score": -4200, "update": _id(manifests[1])},
        ],
        "hyperparameters": HYPERPARAMETERS,
    }  # fmt: skip
    return [
        genesis_version,
        {
            "schema": "model.1", "model": MODEL, "genesis": GENESIS, "version": base,
            "architecture": {"name": "mlp", "inputs": 64, "classes": 10, "activation": "relu"}, **_in_force(),
        },
        *_membership(), *_data(),
        {
            "schema": "round.1", "model": MODEL, "number": 1, "epoch": 0, "base": base, "participants": list(SITES),
            "policy": 1, "hyperparameters": HYPERPARAMETERS, "deadline_at": 1795305600,
        },
        *manifests,
        {
            "schema": "anchor-batch.1",
            "items": [
                {"manifest": encode(manifest).decode(), "signature": "5a" * 64} for manifest in manifests
            ],
        },
        {
            "schema": "close.1", "model": MODEL, "round": 1, "outcome": "sealed", "count": 2, "chain": sealed,
            "reason_code": "quorum",
        },
        version,
        *_decisions(base, _id(version)), *_rollback(base, _id(version)), *_housekeeping(base, _id(version)),
    ]  # fmt: skip


def _manifest(site: str, base: str) -> Record:
    return {
        "schema": "update.1", "model": MODEL, "round": 1, "epoch": 0, "base": base, "participant": site,
        "examples": 1200, "blob": _blob(f"update of {site}", "bf16.1"), "shard": hashed(f"shard of {site}"),
        "self_reported": {"accuracy_bp": 9120, "loss_micro": 284113},
    }  # fmt: skip


def _membership() -> list[Record]:
    proposal: Record = {"schema": "policy-proposal.1", "model": MODEL, "number": 2, **_in_force()}
    status: Record = {
        "schema": "participant-status.1", "model": MODEL, "participant": SITES[1], "number": 1, "status": "excluded",
        "reason_code": "poisoning_suspected", "text_hash": hashed("salt, then text"), "evidence": hashed("diagnosis"),
        "decision": hashed("version that was left behind"),
    }  # fmt: skip
    return [
        proposal,
        {"schema": "policy-approval.1", "model": MODEL, "proposal": _id(proposal)},
        {
            "schema": "participant.1", "model": MODEL, "participant": SITES[0], "organisation": "Org1MSP",
            "ed25519": seeded(SITES[0]).public, "x25519": sealing(SITES[0]),
        },
        status,
        {
            **status, "number": 2, "status": "reinstated", "reason_code": "other", "text_hash": "", "evidence": "",
            "decision": "",
        },
        {
            "schema": "participant-key.1", "model": MODEL, "participant": SITES[0], "number": 1,
            "ed25519": seeded("clinic-a, second key").public, "x25519": sealing("clinic-a, second key"),
        },
    ]  # fmt: skip


def _data() -> list[Record]:
    probe: Record = {
        "schema": "dataset.1", "model": MODEL, "dataset": "probe-2026", "kind": "probe", "version": "2026-11",
        "sha256": hashed("probe"), "examples": 1000, "participant": "",
    }  # fmt: skip
    shard: Record = {
        **probe, "dataset": "ward-a", "kind": "shard", "version": "1", "sha256": hashed("shard of clinic-a"),
        "participant": SITES[0],
    }  # fmt: skip
    return [probe, {**probe, "dataset": "test-2026", "kind": "test", "sha256": hashed("test")}, shard]


def _decisions(base: str, version: str) -> list[Record]:
    return [
        {
            "schema": "validation.1", "model": MODEL, "version": version, "purpose": "probe",
            "dataset": {"sha256": hashed("probe"), "version": "2026-11"}, "evaluator": "custody-validator 0.1",
            "metrics": {
                "accuracy_bp": 9050, "loss_micro": 301442, "examples": 1000, "macro_f1_bp": 8990, "ece_bp": 210,
                "class_recall_bp": [9100, 9000], "confusion": [[455, 45], [50, 450]], "trigger_rate_bp": 12,
            },
        },
        {"schema": "promotion.1", "model": MODEL, "version": version, "expected_seq": 0},
        {"schema": "freeze.1", "model": MODEL, "expected_seq": 1, "reason_code": "data_quality", "text_hash": ""},
        {"schema": "resume.1", "model": MODEL, "expected_seq": 2, "reason_code": "other", "text_hash": hashed("why")},
        {
            "schema": "hold.1", "model": MODEL, "version": base, "held": True, "reason_code": "regulator_order",
            "text_hash": "",
        },
    ]  # fmt: skip


def _rollback(base: str, version: str) -> list[Record]:
    request: Record = {
        "schema": "rollback-request.1", "model": MODEL, "to": base, "expected_seq": 1,
        "reason_code": "poisoning_suspected", "text_hash": hashed("salt, then text"), "incident": "INC-2026-0417",
        "priority": "critical", "quarantine": [version], "break_glass": False, "drill": False,
        "expires_at": 1795392000,
    }  # fmt: skip
    ack: Record = {"schema": "ack.1", "model": MODEL, "seq": 2, "participant": SITES[0], "weights": hashed("weights 0")}
    return [
        request,
        {"schema": "rollback-approval.1", "model": MODEL, "request": _id(request)},
        {"schema": "rollback-rejection.1", "model": MODEL, "request": _id(request), "text_hash": ""},
        {
            "schema": "rollback.1", "model": MODEL, "to": base, "expected_seq": 1, "request": _id(request),
            "decision": "", "reason_code": "poisoning_suspected", "quarantine": [version],
        },
        {
            "schema": "rollback.1", "model": MODEL, "to": base, "expected_seq": 1, "request": "", "decision": version,
            "reason_code": "regression_auto", "quarantine": [],
        },
        {
            "schema": "break-glass-review.1", "model": MODEL, "request": _id(request), "verdict": "justified",
            "text_hash": hashed("review"),
        },
        {
            "schema": "quarantine.1", "model": MODEL, "version": version, "reason_code": "security_incident",
            "text_hash": "",
        },
        ack,
        {"schema": "ack-batch.1", "items": [{"ack": encode(ack).decode(), "signature": "a5" * 64}]},
    ]  # fmt: skip


def _housekeeping(base: str, version: str) -> list[Record]:
    return [
        {"schema": "root.1", "log": "access", "number": 1, "root": hashed("access log"), "entries": 0},
        {
            "schema": "erasure.1", "model": MODEL, "blob": hashed("update of clinic-b"), "participant": SITES[1],
            "wraps": 2, "reason_code": "regulator_order",
        },
        {
            "schema": "erasure.1", "model": MODEL, "blob": hashed("version 0"), "participant": "", "wraps": 0,
            "reason_code": "other",
        },
        {
            "schema": "completion.1", "model": MODEL, "version": base, "reason_code": "completed",
            "summary": {"rounds": 1, "rollbacks": 1, "left_behind": version, "note": "went back once"},
        },
    ]  # fmt: skip


def _nested(levels: int) -> Record:
    return {"a": _nested(levels - 1) if levels > 1 else 1}


EDGES: list[tuple[str, Record]] = [
    ("an empty object", {}),
    ("empty containers", {"a": {}, "b": [], "c": [[], {}]}),
    ("every ASCII character below and above the printable ones", {"a": "".join(map(chr, [*range(0x20), 0x7F]))}),
    ("every printable ASCII character", {"a": "".join(map(chr, range(0x20, 0x7F)))}),
    ("a slash is not escaped", {"a": "/"}),
    ("HTML is not escaped", {"a": "<script>&'</script>"}),
    ("beyond ASCII, within the BMP", {"a": "Zürich Δ € \u2028\u2029\ufeff\uffff"}),
    ("the ends of the range of surrogates", {"a": "\ud7ff\ue000"}),
    ("beyond the BMP: surrogate pairs", {"a": "\U0001f600\U00010000\U0010ffff"}),
    ("a key with a NUL in its value", {"a": "\x00"}),
    ("the largest and the smallest integer", {"a": 2**53 - 1, "b": -(2**53) + 1, "c": 0, "d": -1}),
    ("integers that a narrower reader breaks", {"a": 2**31, "b": -(2**31) - 1, "c": 2**24 + 1, "d": 10**15 + 1}),
    ("keys sort by byte", dict.fromkeys(("a", "A", "_", "-", ".", "0", "aa", "a.", "10", "9", "Z"), 1)),
    ("keys that differ in case alone are different keys", {"Key": 1, "kEy": 2, "key": 3}),
    ("a key of 64 characters", {"k" * 64: True}),
    ("16 levels", {"a": [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}),
    ("16 levels of objects", _nested(16)),
    ("truth", {"a": True, "b": False, "c": [True, 1, "true"]}),
    ("words that a lazy reader makes more of", {"a": "null", "b": "NaN", "c": "1e3", "d": "", "__proto__": 1}),
]  # fmt: skip


def vectors() -> dict[str, object]:
    records = samples()
    for record in records:
        check(record)
    missing = SCHEMAS.keys() - {record["schema"] for record in records}
    assert not missing, missing
    return {
        "records": [_vector("schema", str(record["schema"]), record) for record in records],
        "edges": [_vector("why", why, record) for why, record in EDGES],
    }


def _vector(key: str, label: str, record: Record) -> dict[str, object]:
    data = encode(record)
    return {key: label, "bytes": data.decode("ascii"), "id": record_id(data)}
