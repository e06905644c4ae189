"""custody gateway: run the rounds, answer questions, and look after what the gateway keeps."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from gateway import app, who
from gateway.database import Database
from gateway.ledger import LedgerError
from gateway.projection import ProjectionError
from gateway.settings import SettingWrong, from_environment
from gateway.system import System
from sealed.keys import KeyFileError, SealingKey, SigningKey

FAILED, USAGE = 1, 2
EXPLAINED = (SettingWrong, KeyFileError, LedgerError, ProjectionError, who.NameTaken)


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        return int(options.act(options) or 0)
    except EXPLAINED as error:
        print(f"custody gateway: {error}", file=sys.stderr)
        return USAGE if isinstance(error, SettingWrong | KeyFileError) else FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("custody gateway", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, act, what in (
        ("serve", _serve, "run the gateway"),
        ("rebuild", _rebuild, "build the index again from the ledger, and print its root"),
        ("keys", _keys, "make the gateway's keys where there are none, and print their public halves"),
    ):
        verbs.add_parser(name, help=what).set_defaults(act=act)
    key = verbs.add_parser("key", help="API keys").add_subparsers(required=True, metavar="VERB")
    add = key.add_parser("add", help="make an API key; it is printed once, and only its hash is kept")
    add.add_argument("name")
    add.add_argument("--role", required=True, choices=who.ROLES)
    add.set_defaults(act=_add_key)
    return parser


class Server(uvicorn.Server):
    """Uvicorn ends by sending itself the signal that it was ended with; here threads are to be ended first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _serve(_: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    settings = from_environment(os.environ)
    with app.opened(settings) as system:
        return _serve_system(system, settings.host, settings.port)


def _serve_system(system: System, host: str, port: int) -> int:
    def stop_serving() -> None:
        server.should_exit = True

    system.projection.catch_up()
    threads = app.background(system, stop_serving)
    web = app.web(system, threads)
    server = Server(uvicorn.Config(web, host, port, log_level="warning", timeout_graceful_shutdown=5))
    threads.start()
    try:
        server.run()
    finally:
        threads.stop()
    return FAILED if threads.failed or not server.started else 0


def _rebuild(_: argparse.Namespace) -> None:
    with app.opened(from_environment(os.environ)) as system:
        print(system.projection.rebuild())


def _keys(_: argparse.Namespace) -> None:
    """Never over a key that is there: what was sealed for it would be lost."""
    folder = from_environment(os.environ).keys
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in (("sealing", SealingKey), ("receipt", SigningKey)):
        file = folder / f"{name}.pem"
        if not file.exists():
            kind.generate().save(file)
        print(f"{name} {kind.load(file).public}")


def _add_key(options: argparse.Namespace) -> None:
    database = Database(from_environment(os.environ).database_url)
    try:
        database.migrate()
        print(who.add_key(database, options.name, options.role, secrets.token_urlsafe(32), int(time.time())))
    finally:
        database.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
