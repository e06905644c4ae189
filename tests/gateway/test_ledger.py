"""The client of the door: what each answer means for who asked. The wire is replaced, never the ledger's rules."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx2
import pytest

from gateway.ledger import (
    PAUSES_S,
    BadRecord,
    Committed,
    CommitUnknown,
    Conflict,
    Forbidden,
    Ledger,
    LedgerError,
    LedgerUnavailable,
    NotFound,
    Position,
    RuleRefused,
)

Answer = httpx2.Response | Exception
DONE = {"txid": "ab", "block": 7, "code": "VALID", "result": {"id": "cd"}}


def problem(status: int, code: str) -> httpx2.Response:
    return httpx2.Response(status, json={"code": code, "detail": "why", "status": status})


def ledger(answers: Callable[[httpx2.Request], Answer], paused: list[float] | None = None) -> Ledger:
    def answer(request: httpx2.Request) -> httpx2.Response:
        said = answers(request)
        if isinstance(said, Exception):
            raise said
        return said

    sleep = (paused if paused is not None else []).append
    return Ledger("http://door", "secret", transport=httpx2.MockTransport(answer), sleep=sleep)


def in_turn(*answers: Answer) -> Callable[[httpx2.Request], Answer]:
    left = list(answers)
    return lambda _: left.pop(0)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(400, "BAD_RECORD"), BadRecord),
        (problem(413, "TOO_LARGE"), BadRecord),
        (problem(401, "UNAUTHENTICATED"), Forbidden),
        (problem(403, "FORBIDDEN"), Forbidden),
        (problem(404, "NOT_FOUND"), NotFound),
        (problem(409, "CONFLICT"), Conflict),
        (problem(422, "REFUSED"), RuleRefused),
        (problem(429, "BUSY"), LedgerUnavailable),
        (problem(503, "UNAVAILABLE"), LedgerUnavailable),
        (httpx2.ConnectError("refused"), LedgerUnavailable),
    ],
)
def test_what_is_final_is_told_at_once(answer: Answer, error: type[LedgerError]) -> None:
    with pytest.raises(error):
        ledger(in_turn(answer)).submit("OpenRound", b"{}")


@pytest.mark.parametrize(
    "unknown",
    [
        pytest.param(httpx2.Response(202, json={"txid": "ab", "code": "UNKNOWN"}), id="the door does not know yet"),
        pytest.param(httpx2.ReadTimeout("slow"), id="no answer in time"),
        pytest.param(httpx2.RemoteProtocolError("cut"), id="cut off"),
        pytest.param(httpx2.Response(502, text="proxy"), id="a proxy failed"),
        pytest.param(problem(500, "INTERNAL"), id="the door failed"),
        pytest.param(problem(422, "EXPIRED"), id="the envelope ran out: the door makes another for the same key"),
    ],
)
def test_while_the_outcome_is_unknown_the_very_same_is_sent_again(unknown: Answer) -> None:
    sent: list[tuple[str, bytes]] = []
    answers = in_turn(unknown, httpx2.ConnectError("gone"), unknown, httpx2.Response(200, json=DONE))

    def answer(request: httpx2.Request) -> Answer:
        sent.append((request.headers["idempotency-key"], request.content))
        return answers(request)

    paused: list[float] = []
    assert ledger(answer, paused).submit("OpenRound", b'{"a":1}') == Committed("ab", 7, {"id": "cd"})
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert paused == list(PAUSES_S[:3])


def test_in_the_end_an_unknown_outcome_is_told_with_its_transaction() -> None:
    unknown = httpx2.Response(202, json={"txid": "ab", "code": "UNKNOWN"})
    with pytest.raises(CommitUnknown) as told:
        ledger(lambda _: unknown).submit("OpenRound", b"{}")
    assert told.value.txid == "ab"


def test_a_write_has_its_own_key_and_a_new_attempt_another() -> None:
    keys: list[str] = []

    def answer(request: httpx2.Request) -> Answer:
        keys.append(request.headers["idempotency-key"])
        assert json.loads(request.content) == {"arguments": ["{}"]}
        assert request.headers["authorization"] == "Bearer secret"
        return httpx2.Response(200, json=DONE)

    door = ledger(answer)
    for function, attempt in (("OpenRound", 0), ("OpenRound", 0), ("CloseRound", 0), ("OpenRound", 1)):
        door.submit(function, b"{}", attempt=attempt)
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_events_are_told_in_order_with_the_doors_heartbeats() -> None:
    line = {"block": 3, "tx": 1, "txid": "ab", "name": "RoundOpened.v1", "payload": {"writes": {"k": {}}}}
    body = f"{json.dumps(line)}\n\n"
    events = list(ledger(in_turn(httpx2.Response(200, text=body))).events(Position(3, 1), follow=True))
    assert [event and (event.position, event.writes) for event in events] == [(Position(3, 1), {"k": {}}), None]


def test_events_that_break_off_are_told_as_trouble() -> None:
    def broken() -> object:
        yield b"\n"
        raise httpx2.ReadError("cut")

    events = ledger(in_turn(httpx2.Response(200, content=broken()))).events(Position(0, 0), follow=True)  # type: ignore[arg-type]
    with pytest.raises(LedgerUnavailable):
        list(events)
