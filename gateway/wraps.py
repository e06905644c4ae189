"""Keys of blobs, wrapped for their recipients: kept here and nowhere else, so that they can be deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway import lineage
from gateway.blobs import Blobs
from gateway.database import insert_new, table_of
from gateway.kept_db import Wrap as Row
from gateway.lineage_db import Blob as Anchored
from sealed.fldiff import BlobError, read_context
from sealed.keys import SealingKey, Wrap, WrongKey, kid_of, unwrap_key, wrap_key


def keep(session: Session, blob: str, wraps: Iterable[Wrap]) -> None:
    for wrap in wraps:
        insert_new(session, table_of(Row), {"blob": blob, **wrap})


def take(session: Session, blob: str, wraps: Sequence[Wrap]) -> None:
    """From outside: in place of earlier ones until the blob is anchored, and never in place of any after that."""
    if session.get(Anchored, blob) is None:
        session.execute(delete(Row).where(Row.blob == blob))
    keep(session, blob, wraps)


def of_blob(session: Session, blob: str, kids: Iterable[str]) -> list[Wrap]:
    """Only those for these key ids."""
    wanted = select(Row).where(Row.blob == blob, Row.kid.in_(list(kids))).order_by(Row.kid)
    return [{"kid": row.kid, "wrap": row.wrap} for row in session.scalars(wanted)]


def for_update(keys: dict[str, Any]) -> list[str]:
    """Public keys that an update is sealed for: the aggregator's and the auditors'."""
    return [keys["aggregator"], *keys["auditors"]]


def for_version(session: Session, model: str) -> list[str]:
    """Public keys that a version is sealed for, as of now."""
    _, record = lineage.policy(session, model)
    active = [row.x25519 for row in lineage.active_participants(session, model)]
    return list(dict.fromkeys([*for_update(record["keys"]), record["keys"]["validator"], *active]))


def wrap_again(session: Session, blobs: Blobs, sealing: SealingKey, blob: str, publics: Sequence[str]) -> None:
    """Wrap a blob's key for those who have no wrap yet. Where the aggregator's own was erased, nobody gets one."""
    held = {wrap["kid"] for wrap in of_blob(session, blob, [sealing.kid, *map(kid_of, publics)])}
    missing = [public for public in publics if kid_of(public) not in held]
    if not missing or sealing.kid not in held:
        return
    dek = dek_of(blobs, blob)
    key = unwrap_key(of_blob(session, blob, [sealing.kid]), sealing, dek, blob)
    keep(session, blob, [wrap_key(key, public, dek, blob) for public in missing])


def dek_of(blobs: Blobs, blob: str) -> str:
    try:
        return read_context(next(blobs.get(blob), b""))["dek"]
    except BlobError as error:
        raise WrongKey(f"{blob} is no sealed blob: {error}") from error
