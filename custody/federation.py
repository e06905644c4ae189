"""The records that set a federation up: a model with its policy and genesis version, its sets, its participants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sealed.records import Record, Value, encode, record_id

DEFAULT_POLICY: Mapping[str, Value] = {
    "accuracy_tolerance": 50,
    "severe_drop": 200,
    "patience_threshold": 3,
    "min_accuracy_threshold": 0,
    "min_class_recall": 0,
    "max_trigger_rate": 10_000,
    "aggregation": "fedavg.1",
    "round_quorum": 10_000,
    "ack_quorum": 10_000,
    "convergence_patience": 10,
    "max_iterations": 100,
    "max_rollbacks": 5,
    "target_accuracy": 10_000,
    "overtraining_threshold": 10_000,
    "early_stopping_enabled": True,
    "enable_client_exclusion": True,
    "metrics_to_track": ["accuracy_bp"],
}

# Two organisations, of which the second checks the first: it validates, and it approves what the first asks for.
DEFAULT_GRANTS = (
    ("Org1MSP", "admin"),
    ("Org1MSP", "aggregator"),
    ("Org1MSP", "approver"),
    ("Org1MSP", "operator"),
    ("Org2MSP", "approver"),
    ("Org2MSP", "operator"),
    ("Org2MSP", "validator"),
)

NO_UPDATES = {"count": 0, "chain": "0" * 64}


def genesis_version(model: str, weights: str, blob: Mapping[str, Value]) -> bytes:
    """Version 0: weights that nobody has trained yet."""
    return encode(
        {
            "schema": "version.1",
            "model": model,
            "kind": "genesis",
            "number": 0,
            "epoch": 0,
            "parent": "",
            "round": 0,
            "sealed": NO_UPDATES,
            "weights": weights,
            "blob": dict(blob),
            "rule": "genesis.1",
            "included": [],
            "excluded": [],
            "hyperparameters": {},
        }
    )


def model_record(
    model: str,
    genesis: str,
    architecture: Mapping[str, Value],
    version: bytes,
    keys: Mapping[str, Value],
    policy: Mapping[str, Value],
    grants: Iterable[tuple[str, str]] = DEFAULT_GRANTS,
) -> bytes:
    return encode(
        {
            "schema": "model.1",
            "model": model,
            "genesis": genesis,
            "architecture": dict(architecture),
            "version": record_id(version),
            "grants": [{"msp": msp, "role": role} for msp, role in sorted(grants)],
            "keys": dict(keys),
            "policy": dict(policy),
        }
    )


def recipient_keys(aggregator: str, validator: str, auditors: Sequence[str]) -> Record:
    return {"aggregator": aggregator, "validator": validator, "auditors": list(auditors)}


def policy_with(probe: str, test: str, **changed: Value) -> Record:
    return {**DEFAULT_POLICY, "probe": probe, "test": test, **changed}


def dataset_record(model: str, entry: Mapping[str, Value]) -> bytes:
    """One entry of `custody datasets prepare`'s metadata, as the ledger keeps it."""
    kept = {name: entry[name] for name in ("dataset", "kind", "version", "sha256", "examples", "participant")}
    return encode({**kept, "schema": "dataset.1", "model": model})
