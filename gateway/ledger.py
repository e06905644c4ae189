"""The ledger, through its HTTP door (docs/ledger.md).

LedgerError
├── LedgerUnavailable       nothing was written: try again later
├── CommitUnknown(txid)     it may have been written: submit the very same again
├── OtherLedger             another genesis than the one this database was built from: stop
└── Refused(code, detail)   final: the same again is refused again
    ├── BadRecord  ├── Forbidden  ├── NotFound  ├── Conflict  └── RuleRefused
"""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import httpx2

WRITES = {
    "RegisterModel": "/model/create",
    "RegisterParticipant": "/participant/register",
    "SetParticipantStatus": "/participant/status",
    "RotateParticipantKey": "/participant/rotate",
    "RegisterDataset": "/dataset/register",
    "ProposePolicy": "/policy/propose",
    "ApprovePolicy": "/policy/approve",
    "OpenRound": "/round/open",
    "AnchorUpdates": "/round/anchor",
    "CloseRound": "/round/close",
    "RegisterModelUpdate": "/model/register",
    "RecordValidation": "/model/validate",
    "Promote": "/model/promote",
    "RequestRollback": "/rollback/request",
    "ApproveRollback": "/rollback/approve",
    "RejectRollback": "/rollback/reject",
    "RollbackModel": "/model/rollback",
    "ReviewBreakGlass": "/rollback/review",
    "AckRollback": "/rollback/acknowledge",
    "Freeze": "/model/freeze",
    "Resume": "/model/resume",
    "Quarantine": "/model/quarantine",
    "SetHold": "/model/hold",
    "AnchorRoot": "/log/anchor",
    "RecordErasure": "/blob/erasure",
    "CompleteTraining": "/model/complete",
}

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0)
HEARTBEATS_S = 30.0  # the door says every ten seconds that it lives


class LedgerError(Exception):
    pass


class LedgerUnavailable(LedgerError):
    pass


class CommitUnknown(LedgerError):
    def __init__(self, txid: str) -> None:
        super().__init__(f"transaction {txid or '(without an answer)'} may or may not have committed")
        self.txid = txid


class OtherLedger(LedgerError):
    pass


class Refused(LedgerError):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class BadRecord(Refused):
    pass


class Forbidden(Refused):
    pass


class NotFound(Refused):
    pass


class Conflict(Refused):
    pass


class RuleRefused(Refused):
    pass


REFUSALS: dict[str, type[Refused]] = {
    "BAD_RECORD": BadRecord,
    "TOO_LARGE": BadRecord,
    "UNAUTHENTICATED": Forbidden,
    "FORBIDDEN": Forbidden,
    "NOT_FOUND": NotFound,
    "CONFLICT": Conflict,
    "REFUSED": RuleRefused,
}


class Position(NamedTuple):
    block: int
    tx: int


@dataclass(frozen=True, slots=True)
class Chain:
    kind: str
    genesis: str
    height: int
    head: str


@dataclass(frozen=True, slots=True)
class Committed:
    txid: str
    block: int
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    position: Position
    txid: str
    name: str
    writes: dict[str, Any]


class Ledger:
    def __init__(
        self,
        url: str,
        token: str,
        timeout_s: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx2.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(timeout_s, connect=5.0),
            transport=transport,
        )
        self._sleep = sleep
        self._lines: set[socket.socket] = set()

    def close(self) -> None:
        self._http.close()

    def chain(self) -> Chain:
        answer = self._read("/chain").json()
        return Chain(answer["kind"], answer["genesis"], answer["height"], answer["head"])

    def state(self, key: str) -> dict[str, Any]:
        result: dict[str, Any] = self._read(f"/state/{key}").json()["result"]
        return result

    def block(self, number: int) -> bytes:
        return self._read(f"/blocks/{number}").content

    def transaction(self, txid: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._read(f"/transactions/{txid}").json()
        return answer

    def events(self, start: Position, follow: bool) -> Iterator[Event | None]:
        """Every event from `start` on, to the head or for ever; None where the door only says that it lives."""
        query = {"from": f"{start.block},{start.tx}", "follow": str(follow).lower()}
        timeout = httpx2.Timeout(HEARTBEATS_S, connect=5.0)
        try:
            with (
                self._http.stream("GET", "/events", params=query, timeout=timeout) as response,
                self._listening(response),
            ):
                if not response.is_success:
                    response.read()
                    raise _refusal_of(response)
                for line in response.iter_lines():
                    yield _event(json.loads(line)) if line else None
        except httpx2.TransportError as error:
            raise LedgerUnavailable(f"the ledger's events broke off: {error}") from error

    def hang_up(self) -> None:
        """End every stream of events at once; closing a socket would not wake the thread that reads from it."""
        for line in list(self._lines):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _listening(self, response: httpx2.Response) -> Iterator[None]:
        stream = response.extensions.get("network_stream")
        line = stream.get_extra_info("socket") if stream else None
        self._lines.update([line] if line else [])
        try:
            yield
        finally:
            self._lines.discard(line)

    def submit(self, function: str, *arguments: bytes, attempt: int = 0) -> Committed:
        """Write, and return once it is committed. While the outcome is unknown the very same is sent again.

        The door remembers a refusal as it does a commit: to ask again after one, count the attempts.
        """
        body = {"arguments": [argument.decode("ascii") for argument in arguments]}
        headers = {"idempotency-key": idempotency_key(function, arguments, attempt)}
        unknown: CommitUnknown | None = None
        for pause_s in (*PAUSES_S, None):
            try:
                return self._write(WRITES[function], body, headers)
            except CommitUnknown as error:
                unknown = error
            except LedgerUnavailable:
                if unknown is None:
                    raise
            if pause_s is not None:
                self._sleep(pause_s)
        raise unknown or CommitUnknown("")

    def _read(self, path: str) -> httpx2.Response:
        try:
            response = self._http.get(path)
        except httpx2.TransportError as error:
            raise LedgerUnavailable(f"the ledger's door does not answer: {error}") from error
        if not response.is_success:
            raise _refusal_of(response)
        return response

    def _write(self, path: str, body: dict[str, list[str]], headers: dict[str, str]) -> Committed:
        try:
            response = self._http.post(path, json=body, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise LedgerUnavailable(f"the ledger's door does not answer: {error}") from error
        except httpx2.TransportError as error:
            raise CommitUnknown("") from error
        if response.status_code == 200:
            answer = response.json()
            return Committed(answer["txid"], answer["block"], answer["result"])
        if response.status_code == 202:
            raise CommitUnknown(response.json()["txid"])
        refusal = _refusal_of(response)
        if isinstance(refusal, LedgerUnavailable) and response.status_code not in {429, 503}:
            raise CommitUnknown("")  # a proxy's or the door's own failure says nothing about the transaction
        raise refusal


def idempotency_key(function: str, arguments: Sequence[bytes], attempt: int) -> str:
    """For one record its id; a record cannot hold a line break, so others do not run into each other."""
    digest = hashlib.sha256(b"\n".join(arguments)).hexdigest()
    return f"{function}-{digest}-{attempt}"


def _refusal_of(response: httpx2.Response) -> LedgerError:
    try:
        problem = response.json()
        refusal, detail = REFUSALS.get(problem["code"]), problem["detail"]
    except (ValueError, KeyError):
        return LedgerUnavailable(f"the ledger's door answered {response.status_code}")
    if refusal is None:
        return LedgerUnavailable(f"the ledger's door answered {problem['code']}: {detail}")
    return refusal(problem["code"], detail)


def _event(line: dict[str, Any]) -> Event:
    return Event(Position(line["block"], line["tx"]), line["txid"], line["name"], line["payload"]["writes"])
