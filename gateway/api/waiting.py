"""Wait, without holding a thread, until the ledger has taken what was queued."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool

from gateway import handin
from gateway.lineage_db import State
from gateway.system import System

LONGEST_WAIT_S = 60.0
LOOK_AGAIN_S = 1.0


async def until_anchored(system: System, item: handin.Item) -> State:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LONGEST_WAIT_S
    while True:
        heard = system.bell.rings
        row = await run_in_threadpool(_look, system, item)
        if row is not None:
            return row
        if (remaining_s := deadline - loop.time()) <= 0:
            raise handin.NotYetKnown(
                "it is queued and not yet on the ledger: hand in the same again to learn the outcome"
            )
        await system.bell.wait_async(heard, min(remaining_s, LOOK_AGAIN_S))


def _look(system: System, item: handin.Item) -> State | None:
    with system.database.reading() as session:
        return handin.outcome(session, item)
