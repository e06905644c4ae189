"""custody train: start, follow and stop the training of a model."""

from __future__ import annotations

import argparse
import json
import time

from custody.client import Gateway
from custody.connection import UsageError, add_gateway, gateway_of, run

POLL_S = 0.5
RUNNING = "running"


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    return run(lambda: int(options.act(options) or 0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody train", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    start = verbs.add_parser("start", help="start a run of rounds")
    start.add_argument("model")
    start.add_argument("--rounds", type=int, default=10)
    start.add_argument("--round-seconds", type=int, default=600, help="a round's deadline")
    start.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="hyperparameters",
                       help="a hyperparameter, e.g. learning_rate_micro=50000")  # fmt: skip
    start.add_argument("--follow", action="store_true", help="stay and show each version until the run ends")
    start.set_defaults(act=_start)
    for name, act, what in (("status", _status, "show the run"), ("stop", _stop, "stop after the running round")):
        verb = verbs.add_parser(name, help=what)
        verb.add_argument("model")
        verb.set_defaults(act=act)
    for verb in verbs.choices.values():
        add_gateway(verb)
    return parser


def hyperparameters(settings: list[str]) -> dict[str, int | str]:
    """`["local_epochs=2", "optimizer=sgd"]` as integers and words."""
    pairs = (setting.partition("=") for setting in settings)
    return {name: int(value) if value.lstrip("-").isdigit() else value for name, _, value in map(_complete, pairs)}


def _complete(pair: tuple[str, str, str]) -> tuple[str, str, str]:
    if not all(pair):
        raise UsageError(f"--set takes NAME=VALUE, not {''.join(pair)!r}")
    return pair


def _start(options: argparse.Namespace) -> None:
    with gateway_of(options) as gateway:
        wish = hyperparameters(options.hyperparameters)
        gateway.start_training(options.model, options.rounds, wish, options.round_seconds)
        print(f"started {options.rounds} rounds of {options.model}")
        if options.follow:
            _follow(gateway, options.model)


def _follow(gateway: Gateway, model: str) -> None:
    shown: set[str] = set()
    while True:
        run_state = gateway.training(model)
        for version in gateway.versions(model)["versions"]:
            if version["id"] not in shown and version.get("decision"):
                shown.add(version["id"])
                print(
                    f"version {version['number']}: {version['decision']} ({version.get('accuracy_bp', 0) / 100:.2f} %)"
                )
        if run_state["state"] != RUNNING:
            print(f"the run is {run_state['state']}")
            return
        time.sleep(POLL_S)


def _status(options: argparse.Namespace) -> None:
    with gateway_of(options) as gateway:
        print(json.dumps(gateway.training(options.model), indent=2))


def _stop(options: argparse.Namespace) -> None:
    with gateway_of(options) as gateway:
        gateway.stop_training(options.model)
    print("stops after the running round")
