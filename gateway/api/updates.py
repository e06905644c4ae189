"""A participant hands in its update and gets a signed receipt once the ledger holds it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from gateway import handin
from gateway.api.access import Name, Participant, WithSystem
from gateway.api.blobs import SealedKeys
from gateway.api.waiting import until_anchored
from gateway.system import System
from gateway.who import Caller

router = APIRouter()


class Update(SealedKeys):
    model_config = ConfigDict(extra="forbid")
    manifest: str = Field(max_length=handin.LIMIT)
    signature: str = Field(max_length=128)


@router.post("/rounds/{model}/{number}/updates")
async def hand_in(
    model: Name, number: Annotated[int, Path(ge=1)], body: Update, caller: Participant, system: WithSystem
) -> dict[str, str]:
    item = await run_in_threadpool(_take_in, system, caller, (model, number), body)
    row = await until_anchored(system, item)
    return handin.receipt(system, item, row)


def _take_in(system: System, caller: Caller, place: tuple[str, int], body: Update) -> handin.Item:
    item = handin.read_item(system, caller, "update.1", body.manifest, body.signature)
    if place != (item.record["model"], item.record["round"]):
        raise handin.HandInWrong(f"the manifest is for round {item.record['round']} of {item.record['model']}")
    with system.database.reading() as session:
        known = handin.is_known(session, item)
    if not known:
        given = [wrap.as_wrap() for wrap in body.wraps]
        handin.check_update(system, item, given)
        handin.queue(system, item, given)
    return item
