"""Why a model's rounds do not move: kept for who asks, and logged once."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from gateway.database import Database
from gateway.kept_db import Trouble

log = logging.getLogger(__name__)


def note(database: Database, model: str, text: str, now: int) -> None:
    """`text` is "" when there is none any more."""
    with database.reading() as session:
        if told(session, model) == text:
            return
    log.warning("%s: %s", model, text or "moves again")
    with database.writing() as session:
        session.merge(Trouble(model=model, text=text, since=now))


def told(session: Session, model: str) -> str:
    row = session.get(Trouble, model)
    return row.text if row else ""
