"""custody keys: make the keys that people, auditors and services hold."""

from __future__ import annotations

import argparse
from pathlib import Path

from custody.connection import add_door, door_of, passphrase, run
from custody.person import certificate_file
from sealed.keys import PersonKey, SealingKey


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    return run(lambda: int(options.act(options) or 0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody keys", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    enroll = verbs.add_parser("enroll", help="make your own key and trade a one-time code for its certificate")
    enroll.add_argument("name", help="the name the code was made for")
    enroll.add_argument("--code", required=True, help="from whoever runs your organisation's CA")
    enroll.add_argument("--out", type=Path, required=True, metavar="KEY.pem")
    add_door(enroll)
    enroll.set_defaults(act=_enroll)

    sealing = verbs.add_parser("sealing", help="make a key that sealed versions and updates can be opened with")
    sealing.add_argument("--out", type=Path, required=True, metavar="KEY.pem")
    sealing.set_defaults(act=_sealing)
    return parser


def _enroll(options: argparse.Namespace) -> None:
    _refuse_overwriting(options.out)
    with door_of(options) as door:
        person = door.enroll(options.code, PersonKey.generate(), options.name)
    person.save(options.out, passphrase())
    print(f"key {options.out}, certificate {certificate_file(options.out)}; the key is yours alone: keep a copy safe")


def _sealing(options: argparse.Namespace) -> None:
    _refuse_overwriting(options.out)
    key = SealingKey.generate()
    key.save(options.out, passphrase())
    print(key.public)


def _refuse_overwriting(file: Path) -> None:
    if file.exists():
        raise PermissionError(f"{file} exists; a key is never overwritten: name another file or move it away")
