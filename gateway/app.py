"""The only place that knows which adapters there are: from settings to a gateway that works."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI

from gateway import anchoring, api, pipeline
from gateway.background import Background, Part
from gateway.bell import Bell
from gateway.blobs import Blobs
from gateway.blobs.folder import FolderBlobs
from gateway.database import Database
from gateway.ledger import Ledger
from gateway.projection import Projection
from gateway.settings import Settings, SettingWrong
from gateway.system import System
from gateway.tasks import Tasks
from gateway.tasks.database import DatabaseTasks
from gateway.weights import Weights
from sealed.keys import SealingKey, SigningKey

ALL_PARTS = ("projection", "anchoring", "pipeline")


@contextmanager
def opened(settings: Settings) -> Iterator[System]:
    """A system whose database is migrated and belongs to the ledger that speaks; closed again at the end."""
    database = Database(settings.database_url)
    ledger = Ledger(settings.ledger_url, _token(settings), settings.ledger_timeout_s)
    try:
        database.migrate()
        yield _system(settings, database, ledger)
    finally:
        ledger.close()
        database.close()


def background(system: System, on_failure: Callable[[], None], names: Sequence[str] = ALL_PARTS) -> Background:
    parts: dict[str, Part] = {
        "projection": system.projection.follow,
        "anchoring": partial(anchoring.run, system),
        "pipeline": partial(pipeline.run, system),
    }

    def wake() -> None:
        system.bell.ring()
        system.ledger.hang_up()

    return Background({name: parts[name] for name in names}, on_failure, wake)


def web(system: System, threads: Background) -> FastAPI:
    return api.build(system, threads)


def _system(settings: Settings, database: Database, ledger: Ledger) -> System:
    bell = Bell()
    chain = ledger.chain()
    projection = Projection(database, ledger, bell)
    projection.start(chain)
    blobs = _blobs(settings)
    sealing, receipts = _keys(settings)
    return System(
        ledger=ledger,
        chain=chain,
        database=database,
        projection=projection,
        blobs=blobs,
        tasks=_tasks(settings, database, bell),
        bell=bell,
        sealing=sealing,
        receipts=receipts,
        weights=Weights(database, blobs, sealing, chain.genesis),
        now=lambda: int(time.time()),
        token_s=settings.token_s,
        pipeline_lease_s=settings.pipeline_lease_s,
        identity=uuid.uuid4().hex,
    )


def _blobs(settings: Settings) -> Blobs:
    kind, _, place = settings.blobs.partition(":")
    if kind == "folder" and place:
        return FolderBlobs(Path(place), settings.blob_limit_bytes)
    raise SettingWrong(f"BLOBS must be folder:PATH, not {settings.blobs!r}")


def _tasks(settings: Settings, database: Database, bell: Bell) -> Tasks:
    if settings.queue == "database":
        return DatabaseTasks(database, bell, settings.task_lease_s)
    raise SettingWrong(f"QUEUE must be database, not {settings.queue!r}")


def _keys(settings: Settings) -> tuple[SealingKey, SigningKey]:
    passphrase = settings.keys_passphrase_file.read_text("utf-8").strip() if settings.keys_passphrase_file else None
    return (
        SealingKey.load(settings.keys / "sealing.pem", passphrase),
        SigningKey.load(settings.keys / "receipt.pem", passphrase),
    )


def _token(settings: Settings) -> str:
    try:
        return settings.ledger_token_file.read_text("ascii").strip()
    except OSError as error:
        raise SettingWrong(f"LEDGER_TOKEN_FILE: {error}") from error
