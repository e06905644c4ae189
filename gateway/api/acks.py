"""After a rollback every participant signs which weights it holds now."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from gateway import handin
from gateway.api.access import Participant, WithSystem
from gateway.api.waiting import until_anchored
from gateway.system import System
from gateway.who import Caller

router = APIRouter()


class Ack(BaseModel):
    model_config = ConfigDict(extra="forbid")
    ack: str = Field(max_length=handin.LIMIT)
    signature: str = Field(max_length=128)


@router.post("/acks")
async def acknowledge(body: Ack, caller: Participant, system: WithSystem) -> dict[str, str | int]:
    item = await run_in_threadpool(_take_in, system, caller, body)
    row = await until_anchored(system, item)
    return {"ack": item.id, "block": row.block, "txid": row.txid}


def _take_in(system: System, caller: Caller, body: Ack) -> handin.Item:
    item = handin.read_item(system, caller, "ack.1", body.ack, body.signature)
    handin.queue(system, item, [])
    return item
