"""The ledger's HTTP door, as people and programs outside of the gateway use it (docs/ledger.md)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import httpx2

from custody.fabric_payload import NotFabric, is_fabric, read_proposal, read_transaction
from custody.person import Person
from sealed.keys import PersonKey
from verifier.blocks import decode_proposal
from verifier.fields import Malformed

TIMEOUT = httpx2.Timeout(30.0, connect=5.0)


class DoorError(Exception):
    """The door did not do what was asked; `detail` says why, in a sentence."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class DoorUnreachable(DoorError):
    """Nobody answered: nothing is known about what was asked."""


class OutcomeUnknown(DoorError):
    """The transaction was sent and may yet commit: ask for its txid, do not send another."""


class PayloadMismatch(DoorError):
    """The door offered something else to sign than what was asked for."""


@dataclass(frozen=True, slots=True)
class Committed:
    txid: str
    block: int
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    kind: str
    genesis: str
    height: int
    head: str


class Door:
    """One door; reads need its reader token (or a service's), what people sign needs none."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def chain(self) -> Chain:
        answer = self._ask("GET", "/api/v1/chain").json()
        return Chain(answer["kind"], answer["genesis"], answer["height"], answer["head"])

    def read(self, path: str) -> dict[str, Any]:
        result: dict[str, Any] = self._ask("GET", f"/api/v1{path}").json()["result"]
        return result

    def state(self, key: str) -> dict[str, Any]:
        return self.read(f"/state/{key}")

    def block(self, number: int) -> bytes:
        return self._ask("GET", f"/api/v1/blocks/{number}").content

    def events(self, block: int = 0, tx: int = 0) -> Iterator[dict[str, Any]]:
        """Every event so far, from a position on."""
        path = f"/api/v1/events?from={block},{tx}&follow=false"
        yield from (json.loads(line) for line in self._ask("GET", path).iter_lines() if line)

    def submit(self, route: str, arguments: Sequence[bytes | str]) -> Committed:
        """Write as the service identity that this door's token stands for."""
        return _committed(self._ask("POST", f"/api/v1{route}", {"arguments": _texts(arguments)}))

    def act(self, person: Person, function: str, arguments: Sequence[bytes | str]) -> Committed:
        """Write as a person: sign what the door prepares, until it answers with the result."""
        texts = _texts(arguments)
        asked = {"function": function, "arguments": texts, "certificate": person.certificate}
        answer = self._ask("POST", "/api/v1/signing", asked)
        signed = 0
        while "payload" in (offer := answer.json()):
            payload = base64.b64decode(offer["payload"], validate=True)
            _refuse_other_payloads(payload, signed, person, function, texts)
            signed += 1
            signature = base64.b64encode(person.key.sign(payload)).decode()
            answer = self._ask("POST", f"/api/v1/signing/{offer['id']}", {"signature": signature})
        return _committed(answer)

    def enroll(self, code: str, key: PersonKey, name: str) -> Person:
        """Trade a one-time code for a certificate of `key`."""
        answer = self._ask("POST", "/api/v1/enroll", {"code": code, "csr": key.csr(name)})
        return Person(key, answer.json()["certificate"])

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> httpx2.Response:
        try:
            response = self._http.request(method, path, json=body, headers=_idempotency(body))
        except httpx2.TransportError as error:
            raise DoorUnreachable(
                "UNREACHABLE", f"the ledger at {self._http.base_url} does not answer ({error})"
            ) from error
        _raise_for(response)
        return response


def _idempotency(body: Mapping[str, object] | None) -> dict[str, str]:
    """The same request again finds the first answer: its key is the hash of what it says."""
    if body is None or "arguments" not in body or "function" in body:
        return {}
    return {"idempotency-key": hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}


def _texts(arguments: Sequence[bytes | str]) -> list[str]:
    return [argument.decode("ascii") if isinstance(argument, bytes) else argument for argument in arguments]


def _refuse_other_payloads(
    payload: bytes, signed: int, person: Person, function: str, arguments: Sequence[str]
) -> None:
    """A person signs bytes that a server made: they must say what was asked for, for this person, and nothing else."""
    try:
        offered = _read(payload, signed)
    except (Malformed, NotFabric) as error:
        raise PayloadMismatch("PAYLOAD_MISMATCH", f"the door offers something unreadable to sign: {error}") from error
    if offered != (function, tuple(argument.encode() for argument in arguments), person.certificate.encode()):
        raise PayloadMismatch("PAYLOAD_MISMATCH", "the door offers something else to sign than what was asked for")


def _read(payload: bytes, signed: int) -> tuple[str, tuple[bytes, ...], bytes]:
    """Function, arguments and certificate of a payload. Fabric has two of them signed, the embedded ledger one."""
    if is_fabric(payload):
        call = read_transaction(payload) if signed else read_proposal(payload)
        return call.function, call.arguments, call.certificate
    proposal = decode_proposal(payload)
    return proposal.function, proposal.arguments, proposal.creator.certificate


def _committed(response: httpx2.Response) -> Committed:
    answer = response.json()
    return Committed(answer["txid"], answer["block"], answer.get("result") or {})


def _raise_for(response: httpx2.Response) -> None:
    if response.status_code == 202:
        txid = response.json()["txid"]
        raise OutcomeUnknown("UNKNOWN", f"transaction {txid} was sent and its outcome is not known yet")
    if response.is_success:
        return
    try:
        problem = response.json()
        raise DoorError(problem["code"], problem["detail"])
    except (ValueError, KeyError) as error:
        raise DoorError("UNEXPECTED", f"the ledger answered {response.status_code}: {response.text[:200]}") from error
