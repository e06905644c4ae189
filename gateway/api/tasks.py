"""The next task: a long poll that a bell wakes."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from gateway import tasks
from gateway.api.access import WithSystem, Worker
from gateway.effects import next_task
from gateway.who import PARTICIPANT

router = APIRouter()

LONGEST_WAIT_S = 60
LOOK_AGAIN_S = 1.0  # for leases that run out, and for other gateways on the same database, no bell rings


@router.get("/tasks")
async def get_task(
    request: Request, caller: Worker, system: WithSystem, wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT_S)] = 0
) -> Response:
    recipient = tasks.participant(caller.model, caller.name) if caller.role == PARTICIPANT else tasks.VALIDATOR
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while not await request.is_disconnected():
        heard = system.bell.rings
        task = await run_in_threadpool(next_task, system, recipient)
        if task is not None:
            return JSONResponse(task.message())
        if (remaining_s := deadline - loop.time()) <= 0:
            break
        await system.bell.wait_async(heard, min(remaining_s, LOOK_AGAIN_S))
    return Response(status_code=204)
