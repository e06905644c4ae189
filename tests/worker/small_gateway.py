"""A gateway that follows docs/wire.md and no more: real signatures and real seals, one round at a time, no ledger.

What the real one adds is tested with the real one; here the tests stop a worker at any request they name."""

import hashlib
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sealed.keys import SealingKey, SigningKey, Wrap, verify
from sealed.records import Record, encode, parse, record_id, signing_text
from sealed.tensors import Tensors
from sealed.updates import open_update
from sealed.versions import seal_version

GENESIS = "ab" * 32
MODEL = "digits"


class Abandoned(Exception):
    """The worker that asked is dead."""


@dataclass
class SmallGateway:
    port: int
    participants: dict[str, dict[str, str]] = field(default_factory=dict)  # participant.1 by name
    aggregator: SealingKey = field(default_factory=SealingKey.generate)
    receipts: SigningKey = field(default_factory=SigningKey.generate)
    blobs: dict[str, bytes] = field(default_factory=dict)
    wraps: dict[str, list[Wrap]] = field(default_factory=dict)
    tasks: deque[dict[str, Any]] = field(default_factory=deque)
    manifests: list[bytes] = field(default_factory=list)
    acks: list[Record] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    architecture: dict[str, Any] = field(default_factory=lambda: {"name": "mlp-64-64-10"})
    genesis: str = GENESIS  # of the ledger that its answers name
    challenge: dict[str, Any] = field(default_factory=dict)  # to sign instead of the right one
    signs_receipts_with: SigningKey | None = None  # instead of the right one
    expired: bool = False  # refuses the token once
    joined: int = 0
    refusal: str = ""
    stall_at: str = ""  # requests that start so are taken, but never answered
    stalled: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # What a test puts in

    def add_version(
        self, weights: Tensors, parent: tuple[str, Tensors] | None = None, number: int = 0
    ) -> dict[str, str]:
        """A step: the version is sealed, stored, and wrapped for every participant."""
        parent_id, parent_weights = parent or ("", None)
        sealed = seal_version(weights, parent_weights, model=MODEL, number=number, parent=parent_id, genesis=GENESIS)
        self.blobs[sealed.address["sha256"]] = sealed.blob
        self.wraps[sealed.address["sha256"]] = sealed.wraps_for(one["x25519"] for one in self.participants.values())
        record = encode(version_record(number, parent_id, sealed.weights, sealed.record))
        return {"version_id": record_id(record), "record": record.decode()}

    def offer_round(self, steps: list[dict[str, str]], number: int = 1, /, **hyperparameters: int | str) -> bytes:
        record = encode({
            "schema": "round.1", "model": MODEL, "number": number, "epoch": 0, "base": steps[-1]["version_id"],
            "participants": sorted(self.participants), "policy": 1, "hyperparameters": hyperparameters,
            "deadline_at": 0,
        })  # fmt: skip
        recipient = {"kid": self.aggregator.kid, "x25519": self.aggregator.public}
        payload = {
            "round": record.decode(), "base": steps, "recipients": [recipient], "deadline_at": 0,
            "architecture": self.architecture,
        }  # fmt: skip
        self.offer("TRAIN", payload)
        return record

    def offer(self, task_type: str, payload: Mapping[str, Any]) -> None:
        self.tasks.append({"task_id": str(len(self.tasks)), "task_type": task_type, "payload": dict(payload)})

    def carry_on(self) -> None:
        self.stall_at = ""
        self.released.set()

    # What it got

    def opened(self, manifest: bytes, base: Tensors) -> Tensors:
        """The differences that were handed in."""
        said = parse(manifest)
        sha256 = str(said["blob"]["sha256"])  # type: ignore[index,call-overload]
        update = open_update(self.blobs[sha256], said, self.wraps[sha256], self.aggregator, GENESIS, base)
        return dict(update.differences)

    # The wire

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/v1/join", self.join, methods=["POST"]),
                Route("/api/v1/tasks", self.next_task),
                Route("/api/v1/blobs/{sha256}", self.put_blob, methods=["PUT"]),
                Route("/api/v1/blobs/{sha256}", self.get_blob),
                Route("/api/v1/blobs/{sha256}/wraps", self.get_wraps),
                Route("/api/v1/rounds/{model}/{number}/updates", self.take_update, methods=["POST"]),
                Route("/api/v1/acks", self.take_ack, methods=["POST"]),
            ],
            exception_handlers={Abandoned: lambda *_: Response(status_code=404)},
        )

    def note(self, request: Request) -> None:
        said = f"{request.method} {request.url.path.removeprefix('/api/v1')}"
        self.asked.append(said)
        if self.stall_at and said.startswith(self.stall_at):
            self.stalled.set()
            self.released.wait(30)
            raise Abandoned

    async def join(self, request: Request) -> Response:
        body = await request.json()
        if "challenge" not in body:
            if body["participant"] not in self.participants:
                return problem(403, f"{body['participant']} is not registered for {body['model']}")
            challenge = self.challenge or {**body, "schema": "join.1", "nonce": "00" * 16, "expires_at": 2**33}
            return JSONResponse({"challenge": encode(challenge).decode()})
        name = str(parse(body["challenge"])["participant"])
        text = signing_text("join.1", GENESIS, body["challenge"].encode())
        if not verify(self.participants[name]["ed25519"], text, body["signature"]):
            return problem(403, "the signature is not right")
        self.joined += 1
        return JSONResponse({"token": name, "expires_at": 2**33})

    def next_task(self, request: Request) -> Response:
        self.note(request)
        if self.expired:
            self.expired = False
            return problem(401, "the token ran out")
        if not self.tasks:
            threading.Event().wait(0.05)
            return Response(status_code=204)
        return JSONResponse(self.tasks[0])

    async def put_blob(self, request: Request) -> Response:
        await run_in_threadpool(self.note, request)
        data, sha256 = await request.body(), request.path_params["sha256"]
        if hashlib.sha256(data).hexdigest() != sha256:
            return problem(422, "other bytes")
        self.blobs[sha256] = data
        return Response(status_code=201)

    def get_blob(self, request: Request) -> Response:
        self.note(request)
        return Response(self.blobs[request.path_params["sha256"]], media_type="application/octet-stream")

    def get_wraps(self, request: Request) -> Response:
        return JSONResponse({"wraps": self.wraps[request.path_params["sha256"]]})

    async def take_update(self, request: Request) -> Response:
        body = await request.json()
        manifest = body["manifest"].encode()
        if manifest not in self.manifests:
            self.manifests.append(manifest)
            self.wraps[parse(manifest)["blob"]["sha256"]] = body["wraps"]  # type: ignore[index,call-overload]
        await run_in_threadpool(self.note, request)
        self.tasks.clear()
        if self.refusal:
            return problem(409, self.refusal)
        receipt = encode({
            "schema": "receipt.1", "block": 7, "gateway": self.receipts.public, "manifest": record_id(manifest),
            "result": "accepted", "txid": "cd" * 32,
        })  # fmt: skip
        signature = (self.signs_receipts_with or self.receipts).sign(signing_text("receipt.1", GENESIS, receipt))
        return JSONResponse({"receipt": receipt.decode(), "signature": signature, "ledger": {"genesis": self.genesis}})

    async def take_ack(self, request: Request) -> Response:
        body = await request.json()
        ack = parse(body["ack"])
        public = self.participants[str(ack["participant"])]["ed25519"]
        assert verify(public, signing_text("ack.1", GENESIS, body["ack"].encode()), body["signature"])
        self.acks.append(ack)
        self.tasks.clear()
        return JSONResponse({"block": 8})


def version_record(number: int, parent: str, weights: str, blob: Record) -> Record:
    return {
        "schema": "version.1", "model": MODEL, "kind": "aggregate" if number else "genesis", "number": number,
        "epoch": 0, "parent": parent, "round": number, "sealed": {"count": 0, "chain": "00" * 32}, "weights": weights,
        "blob": blob,
        "rule": "fedavg.1" if number else "genesis.1", "included": [], "excluded": [], "hyperparameters": {},
    }  # fmt: skip


def problem(status: int, detail: str) -> Response:
    return JSONResponse({"status": status, "detail": detail}, status, media_type="application/problem+json")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serving(gateway: SmallGateway) -> Iterator[SmallGateway]:
    config = uvicorn.Config(gateway.app(), port=gateway.port, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield gateway
    finally:
        gateway.released.set()
        server.should_exit = True
        thread.join()
