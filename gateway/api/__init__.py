"""The gateway's HTTP interface (docs/wire.md): one file a noun, every route with its roles."""

from __future__ import annotations

from fastapi import FastAPI

from gateway.api import acks, blobs, exports, health, join, models, problems, tasks, training, updates, versions
from gateway.api.limits import BodyLimit
from gateway.background import Background
from gateway.system import System

PREFIX = "/api/v1"
ROUTERS = (join, tasks, blobs, updates, acks, training, models, versions, exports)


def build(system: System, background: Background) -> FastAPI:
    app = FastAPI(
        title="Custody gateway", version="1", openapi_url=f"{PREFIX}/openapi.json", docs_url=None, redoc_url=None
    )
    app.state.system = system
    app.state.background = background
    for noun in ROUTERS:
        app.include_router(noun.router, prefix=PREFIX)
    app.include_router(health.router)
    problems.install(app)
    app.add_middleware(BodyLimit)
    return app
