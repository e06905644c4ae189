"""A participant proves that it holds its registered key, and gets a token for an hour."""

from __future__ import annotations

import secrets

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from gateway import who
from gateway.api.access import UP_TO_DATE, WithSystem
from gateway.tasks import participant

router = APIRouter()


class Ask(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str = Field(max_length=64)
    participant: str = Field(max_length=64)


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    challenge: str = Field(max_length=1024)
    signature: str = Field(max_length=128)


@router.post("/join", dependencies=[UP_TO_DATE])
def join(body: Ask | Answer, system: WithSystem) -> dict[str, str | int]:
    if isinstance(body, Ask):
        nonce = secrets.token_hex(16)
        text = who.challenge(system.database, body.model, body.participant, nonce, system.now())
        return {"challenge": text.decode("ascii")}
    now = system.now()
    caller = who.answer(system.database, body.challenge.encode(), body.signature, system.chain.genesis, now)
    token, expires_at = secrets.token_urlsafe(32), now + system.token_s
    who.add_token(system.database, caller, token, expires_at, now)
    system.tasks.release(participant(caller.model, caller.name))
    return {"token": token, "expires_at": expires_at}
