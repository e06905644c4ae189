"""Where a command finds the ledger's door, the gateway and the person who acts: flags first, then the environment."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from custody.client import Gateway, GatewayError
from custody.door import Door, DoorError
from custody.person import Person
from sealed.keys import KeyFileError
from sealed.records import RecordError

DOOR = "http://127.0.0.1:7080"
GATEWAY = "http://127.0.0.1:7090"

REFUSED = 1
USAGE = 2
UNREACHABLE = 3


def add_door(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--door", default=os.environ.get("CUSTODY_DOOR", DOOR), metavar="URL", help="the ledger's door")
    parser.add_argument("--door-token-file", type=Path, default=_path("CUSTODY_DOOR_TOKEN_FILE"), metavar="FILE",
                        help="token that may read the ledger")  # fmt: skip


def add_gateway(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gateway", default=os.environ.get("CUSTODY_GATEWAY", GATEWAY), metavar="URL")
    parser.add_argument("--api-key-file", type=Path, default=_path("CUSTODY_API_KEY_FILE"), metavar="FILE")


def add_person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as", dest="person", type=Path, default=_path("CUSTODY_PERSON"), metavar="KEY.pem",
                        help="your key; the certificate lies next to it (KEY.crt)")  # fmt: skip


def door_of(options: argparse.Namespace) -> Door:
    return Door(options.door, _secret(options.door_token_file))


def gateway_of(options: argparse.Namespace) -> Gateway:
    return Gateway(options.gateway, _secret(options.api_key_file))


def person_of(options: argparse.Namespace) -> Person:
    if options.person is None:
        raise UsageError("say who acts: --as KEY.pem (or CUSTODY_PERSON); `custody keys enroll` makes a key")
    return Person.load(options.person, passphrase())


def passphrase() -> str | None:
    return os.environ.get("CUSTODY_PASSPHRASE")


class UsageError(Exception):
    """What was asked cannot be done as asked; the text says what to do."""


def run(act: Callable[[], int]) -> int:
    """Run a command; what a person can mend becomes one sentence and an exit code."""
    try:
        return act()
    except (DoorError, GatewayError) as error:
        return _say(error, UNREACHABLE if "Unreachable" in type(error).__name__ else REFUSED)
    except (UsageError, KeyFileError, RecordError, FileNotFoundError, PermissionError) as error:
        return _say(error, USAGE)


def _say(error: Exception, code: int) -> int:
    print(f"custody: {error}", file=sys.stderr)
    return code


def _path(variable: str) -> Path | None:
    return Path(value) if (value := os.environ.get(variable)) else None


def _secret(file: Path | None) -> str:
    return file.read_text("ascii").strip() if file else ""
