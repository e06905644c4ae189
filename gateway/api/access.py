"""Who may call a route. Every route names its roles; one that names none is open, and a test lists those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Path, Request

from gateway.system import System
from gateway.who import PARTICIPANT, Caller, NotAllowed, Unauthenticated, caller_of

READERS = ("operator", "auditor", "viewer", "validator")

Name = Annotated[str, Path(pattern=r"^[a-z0-9._-]{1,64}$")]
Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]


def system_of(request: Request) -> System:
    system: System = request.app.state.system
    return system


WithSystem = Annotated[System, Depends(system_of)]
INDEX_S = 10.0


def up_to_date(system: WithSystem) -> None:
    """Whoever wrote to the ledger and comes straight here finds what they wrote."""
    system.projection.reach(system.ledger.chain().height, INDEX_S)


UP_TO_DATE = Depends(up_to_date)


def only(*roles: str) -> Callable[[Request, System], Caller]:
    def check(request: Request, system: WithSystem) -> Caller:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("this needs `Authorization: Bearer …`: a participant's token or an API key")
        with system.database.reading() as session:
            caller = caller_of(session, secret, system.now())
        if caller.role not in roles:
            raise NotAllowed(f"this is for: {', '.join(roles)}")
        return caller

    return check


# For routes that need a right and do not care whose it is.
READS = Depends(only(*READERS))
OPERATES = Depends(only("operator"))

Participant = Annotated[Caller, Depends(only(PARTICIPANT))]
Worker = Annotated[Caller, Depends(only(PARTICIPANT, "validator"))]
Operator = Annotated[Caller, Depends(only("operator"))]
Uploader = Annotated[Caller, Depends(only(PARTICIPANT, "operator"))]
Holder = Annotated[Caller, Depends(only(PARTICIPANT, "validator", "auditor", "operator"))]
