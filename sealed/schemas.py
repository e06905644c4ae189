"""The fields of every record, one table. A schema that is not here does not exist."""

from sealed.kinds import Kind, array, ascending, either, fields, flag, integer, one_of, text

VERSION_CODECS = ("whole.1", "xor.1")
UPDATE_CODECS = ("bf16.1", "int8.1", "xor.1")
RULE_NAMES = ("fedavg.1", "median.1", "trimmed-mean.1", "norm-clip.1", "multi-krum.1")
ROLES = ("aggregator", "validator", "operator", "approver", "auditor", "admin")
REASONS = (
    "poisoning_suspected", "regression_auto", "data_quality", "security_incident", "operator_error", "regulator_order",
    "drill", "policy_change", "deadline", "quorum", "completed", "other",
)  # fmt: skip

WIDE = 512 * 1024
ITEM_LIMIT = 2 * 1024
LIMITS = {
    "version.1": WIDE, "round.1": WIDE, "anchor-batch.1": WIDE, "ack-batch.1": WIDE,
    "update.1": ITEM_LIMIT, "ack.1": ITEM_LIMIT,
}  # fmt: skip

NAME = text(r"[a-z0-9._-]{1,64}", "a name")
MSP = text(r"[A-Za-z0-9._-]{1,64}", "an MSP id")
LABEL = text(r"[ -~]{0,128}", "at most 128 printable ASCII characters")
HASH = text(r"[0-9a-f]{64}", "64 lower-case hex digits")
HASH_OR_NONE = text(r"[0-9a-f]{64}|", "64 lower-case hex digits or empty")
NAME_OR_NONE = text(r"[a-z0-9._-]{0,64}", "a name or empty")
KEY = HASH
SIGNATURE = text(r"[0-9a-f]{128}", "128 lower-case hex digits")
CID = text(r"baf(kr|yb)ei[a-z2-7]{52}", "a CIDv1 of SHA-256")
ITEM = text(rf"[ -~]{{1,{ITEM_LIMIT}}}", f"a record of at most {ITEM_LIMIT} bytes")
METRIC = text(r"[A-Za-z0-9._-]{1,64}", "the name of a metric")

ANY_INTEGER = integer()
COUNT = integer(0)
POSITIVE = integer(1)
BP = integer(0, 10_000)
REASON = one_of(*REASONS)

DESCRIPTION = fields({}, others=either(ANY_INTEGER, LABEL))
CODEC = one_of("whole.1", "xor.1", "bf16.1", "int8.1")
BLOB = fields({"cid": CID, "codec": CODEC, "sha256": HASH, "size": POSITIVE})
SEALED = fields({"chain": HASH, "count": COUNT})
GRANTS = ascending(array(fields({"msp": MSP, "role": one_of(*ROLES)})), "msp", "role")
KEYS = fields({"aggregator": KEY, "validator": KEY, "auditors": array(KEY)})
POLICY = fields(
    {
        "accuracy_tolerance": BP, "severe_drop": BP, "patience_threshold": POSITIVE, "min_accuracy_threshold": BP,
        "min_class_recall": BP, "max_trigger_rate": BP, "aggregation": one_of(*RULE_NAMES), "round_quorum": BP,
        "ack_quorum": BP, "convergence_patience": POSITIVE, "max_iterations": POSITIVE, "max_rollbacks": COUNT,
        "target_accuracy": BP, "overtraining_threshold": BP, "early_stopping_enabled": flag,
        "enable_client_exclusion": flag, "metrics_to_track": array(METRIC), "probe": HASH, "test": HASH,
    }
)  # fmt: skip
RULES_IN_FORCE = {"grants": GRANTS, "keys": KEYS, "policy": POLICY}
INTEGERS = array(ANY_INTEGER)
METRICS = fields(
    {"accuracy_bp": BP, "loss_micro": COUNT, "examples": POSITIVE},
    optional={"macro_f1_bp": BP, "ece_bp": BP, "class_recall_bp": array(BP), "trigger_rate_bp": BP},
    others=either(ANY_INTEGER, INTEGERS, array(INTEGERS)),
)
INCLUDED = fields({"examples": POSITIVE, "participant": NAME, "update": HASH})
EXCLUDED = fields({"participant": NAME, "rule": NAME, "score": ANY_INTEGER, "update": HASH})


def _schema(kinds: dict[str, Kind]) -> Kind:
    return fields({"schema": text(r".*", "a schema"), **kinds})


SCHEMAS: dict[str, Kind] = {
    schema: _schema(kinds)
    for schema, kinds in {
        "model.1": {
            "model": NAME, "genesis": HASH, "architecture": fields({"name": LABEL}, others=either(ANY_INTEGER, LABEL)),
            "version": HASH, **RULES_IN_FORCE,
        },
        "policy-proposal.1": {"model": NAME, "number": POSITIVE, **RULES_IN_FORCE},
        "policy-approval.1": {"model": NAME, "proposal": HASH},
        "participant.1": {"model": NAME, "participant": NAME, "organisation": MSP, "ed25519": KEY, "x25519": KEY},
        "participant-status.1": {
            "model": NAME, "participant": NAME, "number": POSITIVE,
            "status": one_of("active", "excluded", "reinstated", "left"), "reason_code": REASON,
            "text_hash": HASH_OR_NONE, "evidence": HASH_OR_NONE, "decision": HASH_OR_NONE,
        },
        "participant-key.1": {"model": NAME, "participant": NAME, "number": POSITIVE, "ed25519": KEY, "x25519": KEY},
        "dataset.1": {
            "model": NAME, "dataset": NAME, "kind": one_of("probe", "test", "shard"), "version": LABEL, "sha256": HASH,
            "examples": POSITIVE, "participant": NAME_OR_NONE,
        },
        "round.1": {
            "model": NAME, "number": POSITIVE, "epoch": COUNT, "base": HASH, "participants": ascending(array(NAME)),
            "policy": POSITIVE, "hyperparameters": DESCRIPTION, "deadline_at": COUNT,
        },
        "update.1": {
            "model": NAME, "round": POSITIVE, "epoch": COUNT, "base": HASH, "participant": NAME, "examples": POSITIVE,
            "blob": BLOB, "shard": HASH, "self_reported": fields({}, others=ANY_INTEGER),
        },
        "anchor-batch.1": {"items": array(fields({"manifest": ITEM, "signature": SIGNATURE}), 1, 100)},
        "close.1": {
            "model": NAME, "round": POSITIVE, "outcome": one_of("sealed", "failed"), "count": COUNT, "chain": HASH,
            "reason_code": REASON,
        },
        "version.1": {
            "model": NAME, "kind": one_of("genesis", "aggregate", "replay"), "number": COUNT, "epoch": COUNT,
            "parent": HASH_OR_NONE, "round": COUNT, "sealed": SEALED, "weights": HASH, "blob": BLOB,
            "rule": one_of("genesis.1", *RULE_NAMES), "included": ascending(array(INCLUDED), "participant"),
            "excluded": ascending(array(EXCLUDED), "participant"), "hyperparameters": DESCRIPTION,
        },
        "validation.1": {
            "model": NAME, "version": HASH, "purpose": one_of("probe", "test", "rescore"),
            "dataset": fields({"sha256": HASH, "version": LABEL}), "metrics": METRICS, "evaluator": LABEL,
        },
        "promotion.1": {"model": NAME, "version": HASH, "expected_seq": COUNT},
        "rollback-request.1": {
            "model": NAME, "to": HASH, "expected_seq": COUNT, "reason_code": REASON, "text_hash": HASH_OR_NONE,
            "incident": LABEL, "priority": one_of("normal", "high", "critical"), "quarantine": array(HASH),
            "break_glass": flag, "drill": flag, "expires_at": COUNT,
        },
        "rollback-approval.1": {"model": NAME, "request": HASH},
        "rollback-rejection.1": {"model": NAME, "request": HASH, "text_hash": HASH_OR_NONE},
        "rollback.1": {
            "model": NAME, "to": HASH, "expected_seq": COUNT, "request": HASH_OR_NONE, "decision": HASH_OR_NONE,
            "reason_code": REASON, "quarantine": array(HASH),
        },
        "break-glass-review.1": {
            "model": NAME, "request": HASH, "verdict": one_of("justified", "unjustified"), "text_hash": HASH_OR_NONE,
        },
        "freeze.1": {"model": NAME, "expected_seq": COUNT, "reason_code": REASON, "text_hash": HASH_OR_NONE},
        "resume.1": {"model": NAME, "expected_seq": COUNT, "reason_code": REASON, "text_hash": HASH_OR_NONE},
        "quarantine.1": {"model": NAME, "version": HASH, "reason_code": REASON, "text_hash": HASH_OR_NONE},
        "hold.1": {"model": NAME, "version": HASH, "held": flag, "reason_code": REASON, "text_hash": HASH_OR_NONE},
        "ack.1": {"model": NAME, "seq": COUNT, "participant": NAME, "weights": HASH},
        "ack-batch.1": {"items": array(fields({"ack": ITEM, "signature": SIGNATURE}), 1, 1000)},
        "root.1": {"log": NAME, "number": POSITIVE, "root": HASH, "entries": COUNT},
        "erasure.1": {
            "model": NAME, "blob": HASH, "participant": NAME_OR_NONE, "wraps": COUNT, "reason_code": REASON,
        },
        "completion.1": {"model": NAME, "version": HASH, "reason_code": REASON, "summary": DESCRIPTION},
    }.items()
}  # fmt: skip
