"""custody SUBCOMMAND …: loads one part of Custody and hands it the rest of the command line."""

import importlib
import sys
from collections.abc import Callable

Main = Callable[[list[str]], int]

SUBCOMMANDS = {
    "demo": ("custody.demo", "run a consortium on this machine: training, a two-person rollback, the evidence"),
    "sample": ("custody.sample", "write a sample evidence bundle, to try `custody verify` on"),
    "ledger": ("custody.ledger_command", "start the embedded ledger"),
    "gateway": ("gateway.__main__", "start the gateway: rounds, questions, pages"),
    "worker": ("fl_worker.__main__", "train where the data lives and hand in sealed updates"),
    "validator": ("fl_worker.validate", "score versions on the probe and the test set"),
    "verify": ("verifier.__main__", "check an evidence bundle, offline"),
    "datasets": ("fl_worker.datasets", "prepare and commit to the data a participant trains on"),
    "keys": ("custody.keys_command", "make and show keys, and enrol for a certificate"),
    "train": ("custody.train_command", "start training a model, and follow it"),
    "model": ("custody.model_command", "register a model; show its versions and what is live"),
    "rollback": ("custody.rollback_command", "ask for a rollback, approve or reject one, carry it out"),
    "export": ("custody.export_command", "fetch an evidence bundle"),
}

EXTRAS = {"custody": "client", "gateway": "gateway", "fl_worker": "worker", "verifier": "verify"}
ONLY_IN_WORKER = {"sklearn", "torch", "torchvision"}

USAGE_ERROR = 2


def usage() -> str:
    width = max(map(len, SUBCOMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in SUBCOMMANDS.items()]
    return "\n".join(["usage: custody SUBCOMMAND …", "", *lines, "", "custody SUBCOMMAND --help says more about each."])


def unknown(name: str) -> str:
    from difflib import get_close_matches

    nearest = get_close_matches(name, SUBCOMMANDS, n=1)
    hint = f"did you mean `custody {nearest[0]}`?" if nearest else "`custody --help` lists what there is."
    return f"custody: there is no subcommand {name!r}; {hint}"


def load(module: str) -> Main:
    entry: Main = importlib.import_module(module).main
    return entry


def missing_extra(name: str, module: str, missing: ModuleNotFoundError) -> str | None:
    """Which extra brings what is missing? None for a part of Custody itself: that is a defect, not an install."""
    part = module.partition(".")[0]
    absent = (missing.name or "").partition(".")[0]
    if part not in EXTRAS or absent in {"", "sealed", *EXTRAS}:
        return None
    extra = "worker" if absent in ONLY_IN_WORKER else EXTRAS[part]
    install = f"pip install 'custody[{extra}]'"
    return f"custody {name}: {absent} is not installed here; {install} brings it (in a checkout: make setup)."


def main(argv: list[str] | None = None) -> int:
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in {"--help", "-h", "help"}:
        print(usage())
        return 0
    if name not in SUBCOMMANDS:
        print(unknown(name), file=sys.stderr)
        return USAGE_ERROR
    module, _ = SUBCOMMANDS[name]
    try:
        return load(module)(rest)
    except ModuleNotFoundError as missing:
        advice = missing_extra(name, module, missing)
        if advice is None:
            raise
        print(advice, file=sys.stderr)
        return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
