"""Rounds against a real ledger: what the gateway does, and what it leaves on the ledger and in its store."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway import blobs, wraps
from gateway.ledger import Refused
from gateway.provenance import steps
from sealed.keys import SigningKey
from sealed.manifest import sign_manifest
from sealed.records import encode, parse, record_id, signing_text
from tests.gateway.conftest import World
from tests.gateway.federation import MODEL, Site, expected_weights

NAMES = ["site-a", "site-b"]


def started(world: World, rounds: int, **policy: Any) -> list[Site]:
    world.create_model(**policy)
    sites = world.admit(*NAMES)
    world.start(rounds)
    world.drive()
    return sites


def state(world: World, key: str) -> dict[str, Any]:
    return world.consortium.reader.state(key)


def round_outcome(world: World, number: int) -> str:
    return str(state(world, f"round/{MODEL}/{number}")["outcome"]["outcome"])


def test_three_rounds_end_in_the_weights_that_anyone_computes(world: World) -> None:
    started(world, 3)
    world.settle()
    live = world.consortium.live()
    assert (live["number"], live["weights"]) == (3, expected_weights([1, 2, 3], NAMES))
    assert [update["participant"] for update in live["included"]] == NAMES
    assert world.validator.scored == [(n, purpose) for n in (1, 2, 3) for purpose in ("probe", "test")]
    assert (world.training()["state"], world.training()["reason"]) == ("ended", "rounds_done")


def test_every_tenth_version_is_stored_whole(world: World) -> None:
    started(world, 11, convergence_patience=50)
    world.settle()
    codecs = {version["number"]: version["blob"]["codec"] for version in all_versions(world)}
    assert codecs == {0: "whole.1", **dict.fromkeys(range(1, 10), "xor.1"), 10: "whole.1", 11: "xor.1"}
    assert len(world.http.get(f"/api/v1/versions/{live_id(world)}/steps", headers=world.operator).json()["steps"]) == 2


def live_id(world: World) -> str:
    return str(world.consortium.pointer()["to"])


def all_versions(world: World) -> list[dict[str, Any]]:
    numbers = range(world.versions_on_the_ledger() + 1)
    ids = [state(world, f"version/{MODEL}/{number}")["id"] for number in numbers]
    return [state(world, f"version/{version}")["record"] for version in ids]


def test_the_keys_of_a_version_are_wrapped_for_those_who_may_open_it(world: World) -> None:
    sites = started(world, 1)
    world.settle()
    sha256 = world.consortium.live()["blob"]["sha256"]
    consortium, system = world.consortium, world.system
    entitled = [system.sealing, consortium.auditor, consortium.validator_key, *(site.sealing for site in sites)]
    with system.database.reading() as session:
        kept = wraps.of_blob(session, sha256, [key.kid for key in entitled])
    assert len(kept) == len(entitled)
    assert blobs.read(system.blobs, sha256)
    assert system.blobs.stat(sha256).pinned


def test_who_joins_later_gets_keys_on_demand(world: World) -> None:
    started(world, 2)
    world.settle()
    (late,) = world.admit("site-c")
    world.start(1)
    world.settle()
    assert late.done == ["TRAIN"]
    assert [update["participant"] for update in world.consortium.live()["included"]] == [*NAMES, "site-c"]


def test_a_bad_version_is_left_behind_and_training_goes_on_from_the_last_good_one(world: World) -> None:
    world.validator.scores_bp = {2: 5000}
    sites = started(world, 3)
    world.settle()
    assert [site.done for site in sites] == [["TRAIN", "TRAIN", "ROLLBACK", "TRAIN"]] * 2
    live = world.consortium.live()
    assert (live["number"], live["epoch"], live["weights"]) == (3, 1, expected_weights([1, 3], NAMES))
    assert state(world, f"ack/{MODEL}/2/site-a")["record"]["weights"] == expected_weights([1], NAMES)


def test_two_people_roll_back_and_training_goes_on_when_everybody_has_confirmed(world: World) -> None:
    sites = started(world, 2)
    world.settle()
    first = state(world, f"version/{MODEL}/1")["id"]
    request, execution = world.consortium.ask_rollback(first, "olga", int(time.time()) + 7200)
    world.consortium.approve_rollback(request, "paul")
    world.consortium.act("olga", "RollbackModel", execution)
    world.start(1)
    world.settle(sites[1])
    assert sites[0].done[-1] == "ROLLBACK"
    assert world.training()["state"] == "running"
    assert state(world, f"round/{MODEL}/head")["number"] == 2
    world.settle()
    assert world.consortium.live()["weights"] == expected_weights([1, 3], NAMES)


def test_a_rollback_fences_off_the_open_round(world: World) -> None:
    sites = started(world, 3)
    world.settle_until(lambda: state(world, f"round/{MODEL}/head") == {"number": 3, "open": True})
    payloads = [task["payload"] for site in sites if (task := site.next_task(world.http))]
    updates = [site.made_update(world.http, payload) for site, payload in zip(sites, payloads, strict=True)]
    first = state(world, f"version/{MODEL}/1")["id"]
    request, execution = world.consortium.ask_rollback(first, "olga", int(time.time()) + 7200)
    world.consortium.approve_rollback(request, "paul")
    world.consortium.act("olga", "RollbackModel", execution)
    world.drive()
    assert round_outcome(world, 3) == "failed"
    refused = sites[0].hand_in(world.http, *updates[0])
    assert (refused.status_code, refused.json()["detail"]) == (409, "late")


def test_no_credential_of_the_gateway_completes_a_rollback_of_two_people(world: World) -> None:
    started(world, 2)
    world.settle()
    first = state(world, f"version/{MODEL}/1")["id"]
    request, execution = world.consortium.ask_rollback(first, "olga", int(time.time()) + 7200)
    approval = encode({"schema": "rollback-approval.1", "model": MODEL, "request": request})
    for function, record in (("ApproveRollback", approval), ("RollbackModel", execution)):
        with pytest.raises(Refused, match="FORBIDDEN"):
            world.system.ledger.submit(function, record)


def test_without_quorum_a_round_fails_at_its_deadline_and_three_of_them_end_the_run(world: World) -> None:
    _, away = started(world, 9)
    for number in (1, 2, 3):
        world.settle(away)
        assert round_outcome(world, number) == "open"
        world.clock.ahead_s += 601
        world.drive()
        assert round_outcome(world, number) == "failed"
    assert (world.training()["state"], world.training()["reason"]) == ("ended", "rounds_failed")


def test_enough_of_them_are_a_round_at_its_deadline(world: World) -> None:
    _, away = started(world, 1, round_quorum=5000)
    world.settle(away)
    world.clock.ahead_s += 601
    world.settle(away)
    assert world.consortium.live()["weights"] == expected_weights([1], NAMES[:1])


def test_who_is_late_is_told_so_and_stays_on_the_ledger(world: World) -> None:
    _, away = started(world, 1, round_quorum=5000)
    task = away.next_task(world.http)
    assert task is not None
    manifest, keys = away.made_update(world.http, task["payload"])
    world.settle(away)
    world.clock.ahead_s += 601
    world.settle(away)
    refused = away.hand_in(world.http, manifest, keys)
    assert (refused.status_code, refused.json()["detail"]) == (409, "late")
    assert state(world, f"refusal/{record_id(manifest)}")["outcome"]["reason"] == "late"
    assert away.hand_in(world.http, manifest, keys).json() == refused.json()


def test_an_update_that_came_past_the_gateway_and_has_no_blob_is_left_out_by_name(world: World) -> None:
    honest, bypassing = started(world, 1)
    task = bypassing.next_task(world.http)
    assert task is not None
    manifest, _ = bypassing.made_update(world.http, task["payload"])
    elsewhere = parse(manifest)
    elsewhere["blob"] = {**elsewhere["blob"], "sha256": "ab" * 32}  # type: ignore[dict-item]
    anchored = encode(elsewhere)
    item = {"manifest": anchored.decode(), "signature": sign_manifest(anchored, bypassing.genesis, bypassing.signing)}
    batch = encode({"schema": "anchor-batch.1", "items": [item]})
    world.consortium.as_service("validator", "AnchorUpdates", batch)
    world.settle(bypassing)
    excluded = world.consortium.live()["excluded"]
    assert [(left["participant"], left["rule"]) for left in excluded] == [("site-b", "absent.1")]
    assert honest.done == ["TRAIN"]


def test_a_round_of_which_nothing_can_be_made_is_passed_over(world: World) -> None:
    world.create_model()
    (only,) = world.admit("site-a")
    world.start(2)
    world.drive()
    task = only.next_task(world.http)
    assert task is not None
    manifest = parse(only.made_update(world.http, task["payload"])[0])
    manifest["blob"] = {**manifest["blob"], "sha256": "ab" * 32}  # type: ignore[dict-item]
    anchored = encode(manifest)
    item = {"manifest": anchored.decode(), "signature": sign_manifest(anchored, only.genesis, only.signing)}
    batch = encode({"schema": "anchor-batch.1", "items": [item]})
    world.consortium.as_service("validator", "AnchorUpdates", batch)
    world.settle()
    assert (world.consortium.live()["number"], world.consortium.live()["round"]) == (1, 2)


def test_who_was_excluded_before_the_aggregate_is_left_out_of_it(world: World) -> None:
    _, bad = started(world, 1)
    for site in world.sites:
        site.work(world.http)
    fields = {"model": MODEL, "participant": bad.name, "number": 1, "status": "excluded"}
    why = {"reason_code": "poisoning_suspected", "decision": "", "evidence": "", "text_hash": ""}
    world.consortium.act("anna", "SetParticipantStatus", encode({"schema": "participant-status.1", **fields, **why}))
    world.settle(bad)
    live = world.consortium.live()
    assert [(left["participant"], left["rule"], left["score"]) for left in live["excluded"]] == [
        ("site-b", "excluded.1", 1)
    ]
    assert live["weights"] == expected_weights([1], ["site-a"])


def test_the_policys_criteria_complete_a_model_for_good(world: World) -> None:
    world.validator.scores_bp = {2: 9700}
    started(world, 9, target_accuracy=9600)
    world.settle()
    assert world.training()["reason"] == "target_accuracy"
    completion = state(world, f"completion/{MODEL}")["record"]
    assert (completion["version"], completion["summary"]["criterion"]) == (live_id(world), "target_accuracy")
    again = world.http.post(
        f"/api/v1/models/{MODEL}/training", json={"rounds": 1, "round_seconds": 9}, headers=world.operator
    )
    assert again.status_code == 409


def test_a_run_that_is_told_to_stop_finishes_its_round(world: World) -> None:
    started(world, 5)
    stopped = world.http.delete(f"/api/v1/models/{MODEL}/training", headers=world.operator)
    assert (stopped.status_code, stopped.json()["state"]) == (202, "stopping")
    world.settle()
    assert (world.training()["reason"], world.consortium.live()["number"]) == ("stop_asked", 1)


def test_what_the_ledger_refuses_stops_nothing_but_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    started(world, 1)
    world.settle_until(lambda: world.versions_on_the_ledger() == 1)
    people = world.consortium
    freeze = {"model": MODEL, "expected_seq": 0, "reason_code": "other", "text_hash": ""}
    stale = steps.Promote(state(world, f"version/{MODEL}/1")["id"], 0)
    people.act("olga", "Freeze", encode({"schema": "freeze.1", **freeze}))
    world.validator.work(world.http)
    monkeypatch.setattr(steps, "next_step", lambda _: stale)
    world.drive()
    assert "frozen" in world.training()["trouble"]
    monkeypatch.undo()
    people.act("olga", "Resume", encode({"schema": "resume.1", **freeze, "expected_seq": 1}))
    world.settle()
    assert people.live()["number"] == 1


def test_a_key_that_was_replaced_opens_and_signs_no_more_and_the_new_one_does(world: World) -> None:
    (site, other) = started(world, 2)
    world.settle_until(lambda: world.versions_on_the_ledger() == 1)
    fresh = Site(site.name, site.genesis, signing=SigningKey.generate())
    fields = {"model": MODEL, "participant": site.name, "number": 1}
    keys = {"ed25519": fresh.signing.public, "x25519": fresh.sealing.public}
    record = encode({"schema": "participant-key.1", **fields, **keys})
    proof = fresh.signing.sign(signing_text("participant-key.1", site.genesis, record))
    world.consortium.act("anna", "RotateParticipantKey", record, proof)
    world.index()
    with pytest.raises(AssertionError, match="401"):
        site.join(world.http)
    fresh.join(world.http)
    world.sites = [fresh, other]
    world.settle()
    assert world.consortium.live()["number"] == 2
