"""custody model: set a model up on the ledger (its genesis version, sets and participants) and look at it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from custody.connection import (
    UsageError,
    add_door,
    add_gateway,
    add_person,
    door_of,
    gateway_of,
    person_of,
    run,
)
from custody.federation import dataset_record, genesis_version, model_record, policy_with, recipient_keys
from sealed.records import parse, text_at
from sealed.tensors import Tensors, load
from sealed.versions import seal_version


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    return run(lambda: int(options.act(options) or 0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody model", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    create = verbs.add_parser("create", help="make, seal and register a model with its genesis version and sets")
    create.add_argument("model")
    create.add_argument("--data", type=Path, required=True, metavar="DIR", help="what `custody datasets prepare` made")
    create.add_argument("--seed", type=int, default=1, help="of the genesis weights")
    create.add_argument("--weights", type=Path, metavar="FILE.safetensors", help="start from these instead")
    create.add_argument("--aggregator-key", required=True, metavar="HEX", help="the gateway's X25519 public key")
    create.add_argument("--validator-key", required=True, metavar="HEX")
    create.add_argument("--auditor-key", action="append", default=[], metavar="HEX")
    create.add_argument("--policy", action="append", default=[], metavar="NAME=INTEGER", help="see docs/records.md")
    add_gateway(create)
    create.set_defaults(act=_create)

    admit = verbs.add_parser("admit", help="register a participant from the request that `custody worker init` wrote")
    admit.add_argument("request", type=Path, metavar="participant.json")
    admit.add_argument("--data", type=Path, metavar="DIR", help="register the commitment to its shard from here, too")
    admit.set_defaults(act=_admit)

    show = verbs.add_parser("show", help="what is live, and the versions so far")
    show.add_argument("model")
    add_gateway(show)
    show.set_defaults(act=_show)

    for verb in (create, admit):
        add_door(verb)
        add_person(verb)
    return parser


def _create(options: argparse.Namespace) -> None:
    described = _metadata(options.data)
    weights = load(options.weights) if options.weights else _fresh_weights(described["architecture"], options.seed)
    person = person_of(options)
    with door_of(options) as door, gateway_of(options) as gateway:
        genesis = door.chain().genesis
        sealed = seal_version(weights, None, model=options.model, number=0, parent="", genesis=genesis)
        recipients = [options.aggregator_key, options.validator_key, *options.auditor_key]
        gateway.put_blob(sealed.address["sha256"], sealed.blob)
        gateway.put_wraps(sealed.address["sha256"], sealed.wraps_for(recipients))
        version = genesis_version(options.model, sealed.weights, sealed.record)
        record = model_record(
            options.model,
            genesis,
            described["architecture"],
            version,
            recipient_keys(options.aggregator_key, options.validator_key, options.auditor_key),
            _policy(described, options.policy),
        )
        done = door.act(person, "RegisterModel", [record, version])
        for entry in described["datasets"]:
            if entry["kind"] != "shard":
                door.act(person, "RegisterDataset", [dataset_record(options.model, entry)])
    print(f"{options.model} is registered (block {done.block}); version 0 is live")


def _admit(options: argparse.Namespace) -> None:
    request = json.loads(options.request.read_text("ascii"))
    record = parse(request["record"])
    person = person_of(options)
    with door_of(options) as door:
        done = door.act(person, "RegisterParticipant", [request["record"], request["signature"]])
        for entry in _metadata(options.data)["datasets"] if options.data else []:
            if entry["participant"] == record["participant"]:
                door.act(person, "RegisterDataset", [dataset_record(text_at(record, "model"), entry)])
    print(f"{record['participant']} takes part from block {done.block} on")


def _show(options: argparse.Namespace) -> None:
    with gateway_of(options) as gateway:
        print(json.dumps({"model": gateway.model(options.model), **gateway.versions(options.model)}, indent=2))


def _metadata(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "metadata.json").read_text("utf-8"))
    return content


def _fresh_weights(architecture: Mapping[str, object], seed: int) -> Tensors:
    from fl_worker.model import initial_weights  # brings torch, which nothing else here needs

    return initial_weights(architecture, seed)


def _policy(described: Mapping[str, Any], settings: list[str]) -> dict[str, Any]:
    sets = {entry["kind"]: entry["sha256"] for entry in described["datasets"]}
    changed = dict(setting.split("=", 1) for setting in settings)
    try:
        return dict(policy_with(sets["probe"], sets["test"], **{name: int(value) for name, value in changed.items()}))
    except ValueError as error:
        raise UsageError("--policy takes NAME=INTEGER") from error
