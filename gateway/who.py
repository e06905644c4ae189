"""Who calls: a participant with a token it got for its registered key, or the holder of an API key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway import lineage
from gateway.database import Database, insert_new, table_of
from gateway.kept_db import ApiKey, Challenge, Token
from gateway.lineage_db import Participant
from sealed.keys import verify
from sealed.records import RecordError, encode, parse, signing_text

PARTICIPANT = "participant"
ROLES = ("validator", "operator", "auditor", "viewer")
KEY_PREFIX = "ck_"
CHALLENGE_S = 60


class Unauthenticated(Exception):
    """No valid token or API key came with the request."""


class NotAllowed(Exception):
    """Whoever this is, they may not do this."""


class NameTaken(Exception):
    """An API key of that name exists."""


@dataclass(frozen=True, slots=True)
class Caller:
    role: str
    name: str
    model: str = ""  # of a participant; an API key serves every model

    @property
    def owner(self) -> str:
        return f"{PARTICIPANT}/{self.model}/{self.name}" if self.role == PARTICIPANT else f"key/{self.name}"


def caller_of(session: Session, secret: str, now: int) -> Caller:
    hashed = _hash(secret)
    if secret.startswith(KEY_PREFIX):
        key = session.get(ApiKey, hashed)
        if key is None:
            raise Unauthenticated("this API key is unknown")
        return Caller(key.role, key.name)
    token = session.get(Token, hashed)
    if token is None or token.expires_at <= now:
        raise Unauthenticated("this token is unknown or has run out: join again")
    active_participant(session, token.model, token.participant)
    return Caller(PARTICIPANT, token.participant, token.model)


def active_participant(session: Session, model: str, name: str) -> Participant:
    row = session.get(Participant, (model, name))
    if row is None or row.status != lineage.ACTIVE:
        raise NotAllowed(f"{name} is not an active participant of {model}")
    return row


def add_key(database: Database, name: str, role: str, secret: str, now: int) -> str:
    """The key to hand out, once; only its hash is kept."""
    key = KEY_PREFIX + secret
    with database.writing() as session:
        if session.scalar(select(ApiKey).where(ApiKey.name == name)) is not None:
            raise NameTaken(f"there is an API key named {name} already")
        session.add(ApiKey(hash=_hash(key), name=name, role=role, created_at=now))
    return key


def challenge(database: Database, model: str, participant: str, nonce: str, now: int) -> bytes:
    expires_at = now + CHALLENGE_S
    text = encode(
        {"schema": "join.1", "model": model, "participant": participant, "nonce": nonce, "expires_at": expires_at}
    )
    with database.writing() as session:
        active_participant(session, model, participant)
        session.execute(delete(Challenge).where(Challenge.expires_at <= now))
        session.add(Challenge(hash=_hash(text.decode("ascii")), expires_at=expires_at))
    return text


def answer(database: Database, text: bytes, signature: str, genesis: str, now: int) -> Caller:
    """Who signed a challenge of ours. It serves once, whatever comes of it."""
    with database.writing() as session:
        asked = session.get(Challenge, _hash(text.decode("ascii", "replace")))
        if asked is not None:
            session.delete(asked)
    if asked is None or asked.expires_at <= now:
        raise Unauthenticated("this challenge is unknown, answered or has run out")
    try:
        said = parse(text)
    except RecordError as error:
        raise Unauthenticated(str(error)) from error
    with database.reading() as session:
        participant = active_participant(session, str(said["model"]), str(said["participant"]))
    if not verify(participant.ed25519, signing_text("join.1", genesis, text), signature):
        raise Unauthenticated("the signature is not by the participant's registered key")
    return Caller(PARTICIPANT, participant.participant, participant.model)


def add_token(database: Database, caller: Caller, secret: str, expires_at: int, now: int) -> None:
    row = {"hash": _hash(secret), "model": caller.model, "participant": caller.name, "expires_at": expires_at}
    with database.writing() as session:
        session.execute(delete(Token).where(Token.expires_at <= now))
        insert_new(session, table_of(Token), row)


def _hash(secret: str) -> str:
    """Secrets of 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
