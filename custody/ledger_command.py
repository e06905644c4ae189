"""custody ledger: the embedded ledger, its enrolment codes, and a look at the chain."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from custody.connection import UsageError, add_door, door_of, run

PROGRAM = "custody-ledger"
BUILT = Path(__file__).resolve().parent.parent / "build" / PROGRAM


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    return run(lambda: int(options.act(options) or 0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody ledger", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    start = verbs.add_parser("start", help="serve the ledger in a folder; its first start makes it")
    start.add_argument("--dir", type=Path, default=Path("var/ledger"))
    start.add_argument("--listen", default="127.0.0.1:7080")
    start.set_defaults(act=_start)
    code = verbs.add_parser("code", help="make a one-time enrolment code for a person")
    code.add_argument("name")
    code.add_argument("--role", required=True, choices=["admin", "operator", "approver", "auditor"])
    code.add_argument("--msp", default="Org1MSP")
    code.add_argument("--dir", type=Path, default=Path("var/ledger"))
    code.set_defaults(act=_code)
    check = verbs.add_parser("check", help="walk and verify the whole chain of a folder")
    check.add_argument("--dir", type=Path, default=Path("var/ledger"))
    check.set_defaults(act=_check)
    status = verbs.add_parser("status", help="what the door says of its chain")
    add_door(status)
    status.set_defaults(act=_status)
    return parser


def program() -> str:
    """The Go server: CUSTODY_LEDGER_BIN, what `make` built, or the PATH."""
    named = os.environ.get("CUSTODY_LEDGER_BIN")
    found = named or (str(BUILT) if BUILT.exists() else shutil.which(PROGRAM))
    if not found:
        raise UsageError(f"{PROGRAM} is not built: run `make setup-light` in the checkout, or set CUSTODY_LEDGER_BIN")
    return found


def _become(*arguments: str) -> None:
    """Replace this process, so that signals reach the ledger itself."""
    sys.stdout.flush()
    os.execv(program(), [PROGRAM, *arguments])


def _start(options: argparse.Namespace) -> None:
    _become("serve", "--dir", str(options.dir), "--listen", options.listen)


def _code(options: argparse.Namespace) -> None:
    _become("code", "--dir", str(options.dir), "--msp", options.msp, "--role", options.role, "--name", options.name)


def _check(options: argparse.Namespace) -> None:
    _become("check", "--dir", str(options.dir))


def _status(options: argparse.Namespace) -> None:
    with door_of(options) as door:
        chain = door.chain()
    print(
        json.dumps({"kind": chain.kind, "genesis": chain.genesis, "height": chain.height, "head": chain.head}, indent=2)
    )
