"""custody export: fetch an evidence bundle from the gateway, and note down where the ledger's chain stands now."""

from __future__ import annotations

import argparse
from pathlib import Path

from custody.connection import UsageError, add_door, add_gateway, door_of, gateway_of, run
from sealed.records import encode


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    return run(lambda: _export(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody export", description=__doc__)
    parser.add_argument("model", nargs="?", help="whose evidence to fetch")
    parser.add_argument("-o", "--out", type=Path, metavar="BUNDLE.zip", help="default: MODEL-evidence.zip")
    parser.add_argument("--with-updates", action="store_true", help="the sealed versions and updates, too")
    parser.add_argument("--for", dest="recipient", metavar="HEX", help="X25519 public key of who shall open them")
    parser.add_argument("--pin", type=Path, metavar="FILE",
                        help="write the ledger's head down, for `custody verify --trust FILE` later")  # fmt: skip
    add_gateway(parser)
    add_door(parser)
    return parser


def _export(options: argparse.Namespace) -> int:
    if options.with_updates != bool(options.recipient):
        raise UsageError("--with-updates and --for KEY go together: updates are sealed to somebody")
    if not options.model and not options.pin:
        raise UsageError("say what to export: MODEL, --pin FILE, or both")
    if options.pin:
        _pin(options)
    if options.model and (options.out or not options.pin):
        _fetch(options)
    return 0


def _pin(options: argparse.Namespace) -> None:
    """Before the bundle is made, so that the pinned block is in it."""
    with door_of(options) as door:
        chain = door.chain()
    pin = {"schema": "pin.1", "kind": chain.kind, "genesis": chain.genesis, "block": chain.height, "hash": chain.head}
    try:
        with options.pin.open("xb") as file:
            file.write(encode(pin) + b"\n")
    except FileExistsError as error:
        raise UsageError(f"{options.pin} exists: a pin is worth keeping, write the new one elsewhere") from error
    print(f"pinned block {chain.height} ({chain.head}) in {options.pin}")


def _fetch(options: argparse.Namespace) -> None:
    out = options.out or Path(f"{options.model}-evidence.zip")
    partial = out.with_name(f".{out.name}.partial")
    wish = {"recipient": options.recipient} if options.recipient else {}
    try:
        with gateway_of(options) as gateway:
            gateway.export(options.model, partial, **wish)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{out}: {out.stat().st_size:,} bytes; custody verify {out} checks it")
