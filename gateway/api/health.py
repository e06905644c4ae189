"""Does this process live, and can it do its work?"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from gateway.api.access import WithSystem
from gateway.api.problems import problem
from gateway.background import Background

router = APIRouter()


@router.get("/health")
def health(system: WithSystem) -> dict[str, Any]:
    return {"status": "alive", "ledger": system.ledger_name}


@router.get("/ready", response_model=None)
def ready(request: Request, system: WithSystem) -> dict[str, Any] | Response:
    """With the ledger's head and how far the index is behind it."""
    height, indexed = system.ledger.chain().height, system.projection.position().block
    background: Background = request.app.state.background
    if background.failed:
        return problem(request, 503, "UNAVAILABLE", f"a part of this gateway has stopped: {background.failed}")
    cache = {"as_of_block": indexed, "lag_blocks": max(0, height - indexed)}
    return {"status": "ready", "ledger": system.ledger_name, "cache": cache}
