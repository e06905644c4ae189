"""The API: who may call what, and what comes back when they may not or when something is wrong."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from gateway import api, tasks, wraps
from gateway.api.limits import LIMIT, BodyLimit
from gateway.tasks import Task
from sealed.keys import SealingKey, SigningKey, Wrap, verify, wrap_key
from sealed.manifest import sign_manifest
from sealed.records import encode, parse, record_id, signing_text
from tests.gateway.conftest import World
from tests.gateway.federation import MODEL, Site, first_weights

OPEN = {("POST", "/api/v1/join"), ("GET", "/health"), ("GET", "/ready"), ("GET", "/api/v1/openapi.json")}


def routes(world: World) -> Iterator[tuple[str, str]]:
    for path, methods in world.http.get("/api/v1/openapi.json").json()["paths"].items():
        yield from ((method.upper(), path) for method in methods)


def filled(path: str) -> str:
    values = {"sha256": "ab" * 32, "version": "ab" * 32, "number": "1"}
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], MODEL), path)


def test_every_route_but_the_open_ones_wants_to_know_who_calls(world: World) -> None:
    closed = set(routes(world)) - OPEN
    assert len(closed) > 15
    for method, path in sorted(closed):
        response = world.http.request(method, filled(path))
        assert response.status_code == 401, (method, path)
        assert method == "HEAD" or response.json()["code"] == "UNAUTHENTICATED"
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["www-authenticate"] == "Bearer"


def test_a_key_that_is_unknown_and_a_token_that_is_none_are_refused(world: World) -> None:
    for secret in ("ck_nothing", "nothing", ""):
        response = world.http.get("/api/v1/models", headers={"authorization": f"Bearer {secret}"})
        assert response.status_code == 401


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("viewer", "GET", "/api/v1/blobs/" + "ab" * 32),
        ("viewer", "POST", f"/api/v1/models/{MODEL}/training"),
        ("auditor", "DELETE", f"/api/v1/models/{MODEL}/training"),
        ("validator", "PUT", "/api/v1/blobs/" + "ab" * 32),
        ("viewer", "PUT", "/api/v1/blobs/" + "ab" * 32 + "/wraps"),
        ("operator", "GET", "/api/v1/tasks"),
        ("operator", "POST", f"/api/v1/rounds/{MODEL}/1/updates"),
        ("validator", "POST", "/api/v1/acks"),
    ],
)
def test_a_role_may_do_what_it_is_for_and_nothing_else(world: World, role: str, method: str, path: str) -> None:
    response = world.http.request(method, path, headers=world.key(role))
    assert (response.status_code, response.json()["code"]) == (403, "FORBIDDEN")


def test_a_problem_says_where_it_happened_and_keeps_to_its_form(world: World) -> None:
    response = world.http.get(f"/api/v1/versions/{'ab' * 32}", headers=world.operator)
    assert response.json() == {
        "type": "urn:custody:error:not_found",
        "title": "Not found",
        "status": 404,
        "detail": f"there is no version {'ab' * 32}",
        "instance": f"/api/v1/versions/{'ab' * 32}",
        "code": "NOT_FOUND",
    }
    nowhere = world.http.get("/api/v1/nowhere", headers=world.operator)
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "NOT_FOUND")
    wrong = world.http.post(f"/api/v1/models/{MODEL}/training", json={"rounds": "3"}, headers=world.operator)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "BAD_REQUEST")
    assert {error["at"] for error in wrong.json()["errors"]} == {"body.rounds", "body.round_seconds"}


def test_answers_say_which_ledger_spoke(world: World) -> None:
    world.create_model()
    world.index()
    named = {"kind": "embedded", "genesis": world.consortium.genesis}
    for path in ("/health", "/ready", "/api/v1/models", f"/api/v1/models/{MODEL}", f"/api/v1/models/{MODEL}/versions",
                 f"/api/v1/models/{MODEL}/pointer"):  # fmt: skip
        assert world.http.get(path, headers=world.operator).json()["ledger"] == named


def test_versions_come_in_pages_the_newest_first(world: World) -> None:
    world.create_model()
    world.admit("site-a")
    world.start(2)
    world.settle()
    first = world.http.get(f"/api/v1/models/{MODEL}/versions?limit=2", headers=world.operator).json()
    rest = world.http.get(
        f"/api/v1/models/{MODEL}/versions?limit=2&below={first['next']}", headers=world.operator
    ).json()
    assert [version["number"] for version in first["versions"] + rest["versions"]] == [2, 1, 0]
    assert "next" not in rest
    assert [version["live"] for version in first["versions"]] == [True, False]
    assert first["versions"][0]["decision"] == "promote"


# --- joining


def test_a_challenge_serves_once_and_for_a_minute(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    body = {"model": MODEL, "participant": site.name}
    challenge = world.http.post("/api/v1/join", json=body).json()["challenge"]
    signature = site.signing.sign(signing_text("join.1", site.genesis, challenge.encode()))
    answer = {"challenge": challenge, "signature": signature}
    assert world.http.post("/api/v1/join", json=answer).status_code == 200
    assert world.http.post("/api/v1/join", json=answer).status_code == 401
    challenge = world.http.post("/api/v1/join", json=body).json()["challenge"]
    world.clock.ahead_s += 61
    signature = site.signing.sign(signing_text("join.1", site.genesis, challenge.encode()))
    late = world.http.post("/api/v1/join", json={"challenge": challenge, "signature": signature})
    assert late.status_code == 401


def test_another_key_or_another_ledger_does_not_answer_a_challenge(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    for key, genesis in ((SigningKey.generate(), site.genesis), (site.signing, "ab" * 32)):
        body = {"model": MODEL, "participant": site.name}
        challenge = world.http.post("/api/v1/join", json=body).json()["challenge"]
        signature = key.sign(signing_text("join.1", genesis, challenge.encode()))
        refused = world.http.post("/api/v1/join", json={"challenge": challenge, "signature": signature})
        assert refused.status_code == 401


def test_a_challenge_of_ones_own_making_is_unknown(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    fields = {"model": MODEL, "participant": site.name, "nonce": "00" * 16, "expires_at": 2**40}
    challenge = encode({"schema": "join.1", **fields})
    signature = site.signing.sign(signing_text("join.1", site.genesis, challenge))
    refused = world.http.post("/api/v1/join", json={"challenge": challenge.decode(), "signature": signature})
    assert refused.status_code == 401


def test_who_is_unknown_or_excluded_gets_no_challenge_and_a_token_ends_with_an_exclusion(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    unknown = world.http.post("/api/v1/join", json={"model": MODEL, "participant": "nobody"})
    assert unknown.status_code == 403
    exclude(world, site)
    assert world.http.post("/api/v1/join", json={"model": MODEL, "participant": site.name}).status_code == 403
    assert world.http.get("/api/v1/tasks", headers=site.headers).status_code == 403


def exclude(world: World, site: Site) -> None:
    fields = {
        "model": MODEL,
        "participant": site.name,
        "number": 1,
        "status": "excluded",
        "decision": "",
        "evidence": "",
    }
    record = encode({"schema": "participant-status.1", **fields, "reason_code": "poisoning_suspected", "text_hash": ""})
    world.consortium.act("anna", "SetParticipantStatus", record)
    world.index()


def test_a_token_runs_out(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    assert world.http.get("/api/v1/tasks", headers=site.headers).status_code == 204
    world.clock.ahead_s += 3601
    assert world.http.get("/api/v1/tasks", headers=site.headers).status_code == 401


# --- tasks


def test_a_long_poll_wakes_when_there_is_something_to_do(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(site.next_task(world.http, wait=20)))
    begun = time.monotonic()
    waiting.start()
    time.sleep(0.2)
    world.start(1)
    world.drive()
    waiting.join(20)
    assert time.monotonic() - begun < 15
    assert found[0] is not None


def test_a_long_poll_without_anything_to_do_ends(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    assert site.next_task(world.http, wait=1) is None


def test_a_task_has_the_form_that_the_wire_describes(world: World) -> None:
    genesis = world.create_model()
    (site,) = world.admit("site-a")
    world.start(1, hyperparameters={"seed": 7})
    world.drive()
    task = site.next_task(world.http)
    assert task is not None
    assert task.keys() == {"task_id", "task_type", "model_version_id", "parent_version_id", "payload", "metadata"}
    assert (task["task_type"], task["model_version_id"], task["parent_version_id"]) == ("TRAIN", genesis, "")
    assert task["metadata"].keys() == {"created_at", "priority", "retry_count"}
    payload = task["payload"]
    assert payload.keys() == {"architecture", "round", "base", "recipients", "deadline_at"}
    assert parse(payload["round"])["hyperparameters"] == {"seed": 7}
    assert [step["version_id"] for step in payload["base"]] == [genesis]
    publics = {recipient["x25519"] for recipient in payload["recipients"]}
    assert publics == {world.system.sealing.public, world.consortium.auditor.public}


def test_a_fetched_task_comes_again_when_its_lease_runs_out_or_its_worker_joins_again(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    world.start(1)
    world.drive()
    first = site.next_task(world.http)
    assert first is not None
    assert site.next_task(world.http) is None
    world.clock.ahead_s += 61
    second = site.next_task(world.http)
    assert second is not None
    assert (second["task_id"], second["metadata"]["retry_count"]) == (first["task_id"], 1)
    site.join(world.http)
    assert site.next_task(world.http) is not None


def test_nobody_gets_the_task_of_another(world: World) -> None:
    world.create_model()
    sites = world.admit("site-a", "site-b")
    mine = Task("TRAIN", MODEL, tasks.of_round(9), tasks.participant(MODEL, "site-a"), "", "", {}, 0)
    world.system.tasks.offer([mine])
    assert sites[1].next_task(world.http) is None


# --- blobs


def test_a_blob_goes_in_once_and_comes_out_as_it_was(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    data = b"x" * 700_000
    sha256 = hashlib.sha256(data).hexdigest()
    statuses = [world.http.put(f"/api/v1/blobs/{sha256}", content=data, headers=site.headers).status_code for _ in "ab"]
    assert statuses == [201, 200]
    got = world.http.get(f"/api/v1/blobs/{sha256}", headers=site.headers)
    assert (got.content, got.headers["etag"]) == (data, f'"{sha256}"')
    assert world.http.head(f"/api/v1/blobs/{sha256}", headers=site.headers).headers["content-length"] == "700000"


def test_a_blob_that_is_not_what_its_name_says_is_refused(world: World) -> None:
    response = world.http.put(f"/api/v1/blobs/{'ab' * 32}", content=b"x", headers=world.operator)
    assert (response.status_code, response.json()["code"]) == (422, "WRONG_ADDRESS")


def test_participants_see_versions_and_what_is_theirs_and_nothing_else(world: World) -> None:
    world.create_model()
    mine, other = world.admit("site-a", "site-b")
    genesis = world.consortium.live()["blob"]["sha256"]
    sha256 = mine.put(world.http, b"an update")
    for site, wanted, status in (
        (mine, sha256, 200),
        (other, sha256, 404),
        (mine, genesis, 200),
        (other, genesis, 200),
    ):
        assert world.http.get(f"/api/v1/blobs/{wanted}", headers=site.headers).status_code == status
        assert world.http.get(f"/api/v1/blobs/{wanted}/wraps", headers=site.headers).status_code == status


def test_everyone_gets_their_own_wraps_only(world: World) -> None:
    world.create_model()
    (site,) = world.admit("site-a")
    genesis = world.consortium.live()["blob"]["sha256"]
    consortium = world.consortium
    for headers, key in (
        (site.headers, site.sealing),
        (world.validator.headers, consortium.validator_key),
        (world.key("auditor"), consortium.auditor),
    ):
        wraps = world.http.get(f"/api/v1/blobs/{genesis}/wraps", headers=headers).json()["wraps"]
        assert [wrap["kid"] for wrap in wraps] == [key.kid]
    assert world.http.get(f"/api/v1/blobs/{genesis}/wraps", headers=world.operator).json() == {"wraps": []}


def test_the_wraps_of_a_genesis_need_its_blob_and_open_it(world: World) -> None:
    sealed, other = (world.consortium.sealed_genesis(first_weights()) for _ in "ab")
    own = [wrap_key(sealed.key, world.system.sealing.public, sealed.dek, sealed.address["sha256"])]
    assert put_wraps(world, sealed.address["sha256"], own) == 404
    for made in (sealed, other):
        sha256 = made.address["sha256"]
        assert world.http.put(f"/api/v1/blobs/{sha256}", content=made.blob, headers=world.operator).is_success
    assert put_wraps(world, other.address["sha256"], own) == 422
    assert put_wraps(world, sealed.address["sha256"], sealed.wraps_for([SealingKey.generate().public])) == 422
    assert put_wraps(world, sealed.address["sha256"], own) == 204


def put_wraps(world: World, sha256: str, wraps: Sequence[Wrap]) -> int:
    body = {"wraps": [dict(wrap) for wrap in wraps]}
    return world.http.put(f"/api/v1/blobs/{sha256}/wraps", json=body, headers=world.operator).status_code


def test_the_wraps_of_a_registered_version_are_never_replaced(world: World) -> None:
    world.create_model()
    world.index()
    sha256 = world.consortium.live()["blob"]["sha256"]
    kid, consortium = world.system.sealing.kid, world.consortium
    with world.system.database.reading() as session:
        before = wraps.of_blob(session, sha256, [kid, consortium.auditor.kid])
    again = [dict(before[0]), dict(before[1])]
    own = next(wrap for wrap in again if wrap["kid"] == kid)
    forged = next(wrap for wrap in again if wrap["kid"] != kid) | {"wrap": "AA=="}
    response = world.http.put(f"/api/v1/blobs/{sha256}/wraps", json={"wraps": [own, forged]}, headers=world.operator)
    assert response.status_code == 204
    with world.system.database.reading() as session:
        assert wraps.of_blob(session, sha256, [kid, consortium.auditor.kid]) == before


def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    response = world.http.post("/api/v1/join", content=b" " * (LIMIT + 1), headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    ("method", "path", "streamed"),
    [
        ("PUT", "/api/v1/blobs/" + "ab" * 32, True),
        ("PUT", "/api/v1/blobs/" + "ab" * 32 + "/wraps", False),
        ("POST", "/api/v1/blobs/" + "ab" * 32, False),
        ("POST", "/api/v1/join", False),
    ],
)
def test_a_body_is_read_no_further_than_its_limit_unless_it_is_a_blob(method: str, path: str, streamed: bool) -> None:
    pieces = 0

    async def receive() -> dict[str, object]:
        nonlocal pieces
        pieces += 1
        return {"type": "http.request", "body": bytes(1 << 20), "more_body": True}

    async def send(_: object) -> None: ...

    async def reads_ten(_: object, receive: Any, __: object) -> None:
        for _ in range(10):
            await receive()

    async def run() -> None:
        await BodyLimit(reads_ten)({"type": "http", "method": method, "path": path}, receive, send)

    if streamed:
        asyncio.run(run())
    else:
        with pytest.raises(HTTPException):
            asyncio.run(run())
    assert pieces == (10 if streamed else 5)


# --- handing in


@pytest.fixture
def training(world: World) -> tuple[World, Site, bytes, list[dict[str, str]]]:
    """A site with an update whose blob is handed in."""
    world.create_model()
    (site,) = world.admit("site-a")
    world.start(1)
    world.drive()
    task = site.next_task(world.http)
    assert task is not None
    manifest, wraps = site.made_update(world.http, task["payload"])
    return world, site, manifest, wraps


Training = tuple[World, Site, bytes, list[dict[str, str]]]


def test_a_receipt_is_signed_and_the_same_for_ever(training: Training) -> None:
    world, site, manifest, wraps = training
    first, second = (site.hand_in(world.http, manifest, wraps).json() for _ in "ab")
    assert first == second
    receipt = parse(first["receipt"])
    public = world.system.receipts.public
    assert verify(public, signing_text("receipt.1", site.genesis, first["receipt"].encode()), first["signature"])
    update = world.consortium.reader.state(f"update/{MODEL}/1/{site.name}")
    transaction = world.system.ledger.transaction(update["txid"])
    assert receipt == {
        "schema": "receipt.1",
        "manifest": record_id(manifest),
        "result": "accepted",
        "txid": update["txid"],
        "block": transaction["block"],
        "gateway": public,
    }


def refused(training: Training, manifest: bytes, wraps: list[dict[str, str]], signature: str = "") -> str:
    """What is said to a hand-in that leaves no trace."""
    world, site, *_ = training
    response = site.hand_in(world.http, manifest, wraps, signature)
    assert (response.status_code, response.json()["code"]) == (422, "REFUSED")
    with world.system.database.reading() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM kept_inbox").scalar() == 0
    return str(response.json()["detail"])


def changed(manifest: bytes, **changes: object) -> bytes:
    return encode({**parse(manifest), **changes})


def test_a_hand_in_is_checked_before_it_is_anchored(training: Training) -> None:
    world, site, manifest, wraps = training
    blob = parse(manifest)["blob"]
    assert isinstance(blob, dict)
    by_another = sign_manifest(manifest, site.genesis, SigningKey.generate())
    elsewhere = sign_manifest(manifest, "ab" * 32, site.signing)
    assert "signature" in refused(training, manifest, wraps, by_another)
    assert "signature" in refused(training, manifest, wraps, elsewhere)
    assert "wraps are needed" in refused(training, manifest, wraps[:1])
    assert "wraps are needed" in refused(training, manifest, [*wraps, {"kid": "ab" * 16, "wrap": "AA=="}])
    swapped = [{**wraps[0], "wrap": wraps[1]["wrap"]}, wraps[1]]
    assert "cannot open" in refused(training, manifest, swapped)
    assert "there is no blob" in refused(training, changed(manifest, blob={**blob, "sha256": "ab" * 32}), wraps)
    assert "size" in refused(training, changed(manifest, blob={**blob, "size": 1}), wraps)
    assert "cannot open" in refused(training, changed(manifest, epoch=0, base="ab" * 32), wraps)
    assert "cannot open" in refused(training, changed(manifest, blob={**blob, "codec": "int8.1"}), wraps)
    assert "not an update.1 of site-a" in refused(training, changed(manifest, participant="site-b"), wraps)
    assert "unknown" in refused(training, changed(manifest, more=1), wraps)
    assert site.hand_in(world.http, manifest, wraps).status_code == 200


def test_a_manifest_is_canonical_and_belongs_to_the_round_that_it_names(training: Training) -> None:
    world, site, manifest, wraps = training
    body = {"signature": sign_manifest(manifest, site.genesis, site.signing), "wraps": wraps}
    spaced = manifest.decode().replace('":', '": ', 1)
    for number, text, told in ((2, manifest.decode(), "is for round 1"), (1, spaced, "canonical")):
        path = f"/api/v1/rounds/{MODEL}/{number}/updates"
        response = world.http.post(path, json={**body, "manifest": text}, headers=site.headers)
        assert response.status_code == 422
        assert told in response.json()["detail"]


def test_the_ledgers_refusal_is_told_as_it_is(training: Training) -> None:
    world, site, manifest, wraps = training
    overstated = changed(manifest, examples=10**6)
    response = site.hand_in(world.http, overstated, wraps)
    assert (response.status_code, response.json()["detail"]) == (409, "overstated")
    assert site.hand_in(world.http, manifest, wraps).status_code == 200


def test_an_acknowledgement_of_other_weights_is_refused_and_the_true_one_is_taken(world: World) -> None:
    world.validator.scores_bp = {2: 1}
    world.create_model()
    (site,) = world.admit("site-a")
    world.start(2)
    world.settle_until(lambda: world.consortium.pointer()["kind"] == "rollback")
    seq = world.consortium.pointer()["seq"]
    wrong = site.acknowledge(world.http, seq, "ab" * 32)
    assert (wrong.status_code, wrong.json()["detail"]) == (409, "other weights")
    world.settle()
    assert world.consortium.reader.state(f"ack/{MODEL}/{seq}/{site.name}")


def test_every_route_names_its_form(world: World) -> None:
    """No route hides from the description that the test of access walks."""
    described = {path for _, path in routes(world)}
    app = api.build(world.system, world.http.app.state.background)  # type: ignore[attr-defined]
    assert {route.path for route in app.routes if isinstance(route, APIRoute)} <= described
