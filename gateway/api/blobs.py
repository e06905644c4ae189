"""Sealed bytes in and out, and the wrapped keys of those who may open them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from anyio import from_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from gateway import lineage, wraps
from gateway.api.access import OPERATES, Hash, Holder, Uploader, WithSystem
from gateway.blobs import BlobMissing
from gateway.database import insert_new, table_of
from gateway.handin import HandInWrong
from gateway.kept_db import Upload
from gateway.system import System
from gateway.who import PARTICIPANT, Caller, active_participant
from sealed.keys import Wrap, WrongKey, kid_of, unwrap_key

router = APIRouter()

IMMUTABLE = "private, max-age=31536000, immutable"


class SealedKey(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kid: str = Field(pattern=r"^[0-9a-f]{32}$")
    wrap: str = Field(max_length=2048)

    def as_wrap(self) -> Wrap:
        return {"kid": self.kid, "wrap": self.wrap}


class SealedKeys(BaseModel):
    model_config = ConfigDict(extra="forbid")
    wraps: list[SealedKey] = Field(max_length=10_000)


@router.put("/blobs/{sha256}")
async def put_blob(sha256: Hash, request: Request, caller: Uploader, system: WithSystem) -> Response:
    stored = await run_in_threadpool(_store, system, caller, sha256, _from_thread(request.stream()))
    return Response(status_code=201 if stored else 200)


@router.get("/blobs/{sha256}")
def get_blob(sha256: Hash, caller: Holder, system: WithSystem) -> StreamingResponse:
    size = _size_for(system, caller, sha256)
    return StreamingResponse(
        system.blobs.get(sha256), headers=_headers(sha256, size), media_type="application/octet-stream"
    )


@router.head("/blobs/{sha256}")
def head_blob(sha256: Hash, caller: Holder, system: WithSystem) -> Response:
    return Response(headers=_headers(sha256, _size_for(system, caller, sha256)))


@router.get("/blobs/{sha256}/wraps")
def get_wraps(sha256: Hash, caller: Holder, system: WithSystem) -> SealedKeys:
    _size_for(system, caller, sha256)
    with system.database.writing() as session:
        publics = _publics(session, caller, sha256)
        wraps.wrap_again(session, system.blobs, system.sealing, sha256, publics)
        found = wraps.of_blob(session, sha256, map(kid_of, publics))
    return SealedKeys(wraps=[SealedKey(**wrap) for wrap in found])


@router.put("/blobs/{sha256}/wraps", status_code=204, dependencies=[OPERATES])
def put_wraps(sha256: Hash, body: SealedKeys, system: WithSystem) -> None:
    """How the genesis version is handed in, before its model is registered."""
    given = [wrap.as_wrap() for wrap in body.wraps]
    try:
        unwrap_key(given, system.sealing, wraps.dek_of(system.blobs, sha256), sha256)
    except WrongKey as error:
        raise HandInWrong(f"the aggregator's wrap ({system.sealing.kid}): {error}") from error
    with system.database.writing() as session:
        wraps.take(session, sha256, given)


def _store(system: System, caller: Caller, sha256: str, pieces: Iterator[bytes]) -> bool:
    stored = system.blobs.put(sha256, pieces)
    with system.database.writing() as session:
        insert_new(session, table_of(Upload), {"blob": sha256, "owner": caller.owner, "at": system.now()})
    return stored


def _from_thread(stream: AsyncIterator[bytes]) -> Iterator[bytes]:
    """A request's body, for a store that reads it in a worker thread."""
    while (piece := from_thread.run(_next_piece, stream)) is not None:
        yield piece


async def _next_piece(stream: AsyncIterator[bytes]) -> bytes | None:
    return await anext(stream, None)


def _size_for(system: System, caller: Caller, sha256: str) -> int:
    """Participants see the versions of their model and what they handed in themselves; nothing else exists for them."""
    with system.database.reading() as session:
        version = lineage.version_of_blob(session, sha256)
        own = session.get(Upload, (sha256, caller.owner)) is not None
    if caller.role == PARTICIPANT and not own and (version is None or version.model != caller.model):
        raise BlobMissing(f"there is no blob {sha256}")
    return system.blobs.stat(sha256).size


def _publics(session: Session, caller: Caller, sha256: str) -> Sequence[str]:
    """The public keys of this caller that this blob may be wrapped for."""
    version = lineage.version_of_blob(session, sha256)
    if caller.role == PARTICIPANT:
        return [active_participant(session, caller.model, caller.name).x25519] if version else []
    update = lineage.update_of_blob(session, sha256)
    owned = version or update
    if owned is None:
        return []
    _, policy = lineage.policy(session, owned.model)
    keys = policy["keys"]
    of_role: dict[str, list[str]] = {"auditor": keys["auditors"], "validator": [keys["validator"]] if version else []}
    return of_role.get(caller.role, [])


def _headers(sha256: str, size: int) -> dict[str, str]:
    return {"content-length": str(size), "etag": f'"{sha256}"', "cache-control": IMMUTABLE}
