"""A request's body is read whole before anybody looks at it: so it must be small, unless it is a blob."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LIMIT = 4 << 20
STREAMED = "/api/v1/blobs/"


class BodyLimit:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streamed = scope["type"] != "http" or (scope["method"] == "PUT" and is_blob(scope["path"]))
        await self._app(scope, receive if streamed else _counted(receive), send)


def is_blob(path: str) -> bool:
    """Not the wraps of one."""
    return path.startswith(STREAMED) and "/" not in path.removeprefix(STREAMED)


def _counted(receive: Receive) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LIMIT:
            raise HTTPException(413, f"a request has at most {LIMIT} bytes")
        return message

    return counted
