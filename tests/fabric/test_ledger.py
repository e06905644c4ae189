"""The contract on the peers of two organisations, through their doors."""

import hashlib
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from custody.door import Committed, Door, DoorError
from gateway.ledger import WRITES
from sealed.records import encode
from tests.fabric.blocks import data_hash, endorsers, header_hash, header_of, vouched_for
from tests.fabric.network import ROOT, FabricLedger, Network
from tests.go_tests import RUN_GO
from tests.verifier.story import Story, a_long_life

UNKNOWN_TXID = "00" * 32


def root(log: str, number: int, entries: int = 1) -> bytes:
    digest = hashlib.sha256(f"{log}{number}{entries}".encode()).hexdigest()
    return encode({"schema": "root.1", "log": log, "number": number, "root": digest, "entries": entries})


def anchor(door: Door, record: bytes) -> Committed:
    return door.submit(WRITES["AnchorRoot"], [record])


def code_of(door: Door, record: bytes) -> str:
    try:
        anchor(door, record)
    except DoorError as error:
        return error.code
    return "VALID"


@pytest.fixture(scope="session")
def told(ledger: FabricLedger) -> Story:
    story = Story(ledger)
    a_long_life(story)
    return story


def events_at(network: Network, organisation: str, block: int = 0, tx: int = 0) -> list[dict[str, Any]]:
    return list(network.door(organisation).events(block, tx))


def test_the_suite_of_every_door_holds_on_fabric(network: Network) -> None:
    where = {
        "CUSTODY_FABRIC_STATE": str(network.state),
        "CUSTODY_FABRIC_PEER": f"127.0.0.1:{network.port('peer0.org1')}",
    }
    command = [
        *RUN_GO,
        "-C",
        "fabric_network/rest/fabric",
        "test",
        "-count=1",
        "-v",
        "-run",
        "TestTheDoorOfFabric",
        ".",
    ]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **where}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--- PASS: TestTheDoorOfFabric" in done.stdout


def test_every_function_of_the_contract_runs(network: Network, told: Story) -> None:
    assert told.versions
    newest = network.door("1").chain().height
    functions = {
        network.get("1", f"/api/v1/transactions/{event['txid']}").json()["function"]
        for event in events_at(network, "1")
        if event["block"] <= newest
    }
    assert functions == set(WRITES)


@pytest.mark.usefixtures("told")
def test_both_doors_tell_the_same_events_in_the_same_order(network: Network) -> None:
    first = events_at(network, "1")
    assert events_at(network, "2")[: len(first)] == first
    places = [(event["block"], event["tx"]) for event in first]
    assert places == sorted(set(places))
    half = first[len(first) // 2]
    assert events_at(network, "1", half["block"], half["tx"])[0] == half


@pytest.mark.usefixtures("told")
def test_blocks_hang_together_from_the_genesis_hash_on(network: Network) -> None:
    door = network.door("2")
    chain = door.chain()
    assert (chain.kind, chain.genesis) == ("fabric", network.genesis)
    previous = b""
    for number in range(chain.height + 1):
        block = door.block(number)
        assert header_of(block) == (number, previous, data_hash(block))
        previous = header_hash(block)
        if number == 0:
            assert previous.hex() == network.genesis
    assert previous.hex() == chain.head or door.chain().height > chain.height
    assert network.get("1", f"/api/v1/blocks/{chain.height + 1000}").status_code == 404


def test_a_receipt_holds_both_organisations_word(network: Network, ledger: FabricLedger) -> None:
    committed = anchor(ledger.services["aggregator"], root("receipts", 1))
    receipt = network.get("1", f"/api/v1/transactions/{committed.txid}/receipts")
    assert endorsers(receipt.content) == {"Org1MSP", "Org2MSP"}
    assert committed.txid.encode() in vouched_for(receipt.content)
    assert network.get("1", f"/api/v1/transactions/{UNKNOWN_TXID}/receipts").status_code == 404


def test_a_transaction_can_be_found(network: Network, ledger: FabricLedger) -> None:
    committed = anchor(ledger.services["aggregator"], root("found", 1))
    found = network.get("2", f"/api/v1/transactions/{committed.txid}").json()
    assert (found["block"], found["code"], found["function"]) == (committed.block, "VALID", "AnchorRoot")
    missing = network.get("2", f"/api/v1/transactions/{UNKNOWN_TXID}")
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


def test_refusals_keep_their_code(ledger: FabricLedger) -> None:
    aggregator, validator = ledger.services["aggregator"], ledger.services["validator"]
    anchor(aggregator, root("codes", 1))
    assert code_of(aggregator, root("codes", 1, entries=2)) == "CONFLICT"
    assert code_of(aggregator, b"{}") == "BAD_RECORD"
    assert code_of(validator, root("codes", 2)) == "FORBIDDEN"
    with pytest.raises(DoorError, match="NOT_FOUND"):
        ledger.network.door("1").read("/model/nobody")


def test_of_those_who_race_one_is_first_and_the_others_are_told(ledger: FabricLedger) -> None:
    door = ledger.services["aggregator"]
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda n: code_of(door, root("race", 1, entries=n)), range(1, 9)))
    assert sorted(codes) == ["CONFLICT"] * 7 + ["VALID"]


def test_the_same_record_from_eight_at_once_succeeds_for_all(ledger: FabricLedger) -> None:
    door = ledger.services["aggregator"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: anchor(door, root("same", 1)), range(8)))
    assert len({answer.result["id"] for answer in answers}) == 1


def test_an_idempotency_key_finds_the_first_answer(network: Network) -> None:
    headers = {"authorization": f"Bearer {network.token('1', 'aggregator')}", "idempotency-key": "once"}
    body = {"arguments": [root("key", 1).decode()]}
    first = network.post("1", "/api/v1/log/anchor", body, **headers)
    again = network.post("1", "/api/v1/log/anchor", body, **headers)
    assert first.status_code == 200
    assert again.json() == first.json()
    other = network.post("1", "/api/v1/log/anchor", {"arguments": [root("key", 2).decode()]}, **headers)
    assert other.status_code == 422


def test_who_deploys_again_changes_nothing(network: Network) -> None:
    before = network.door("1").chain().height
    assert "already" in network.run("deploy")
    assert network.door("1").chain().height == before
    assert "0 problems" in network.run("doctor")


def test_a_lone_write_waits_for_little_more_than_its_block(ledger: FabricLedger) -> None:
    door = ledger.services["aggregator"]
    took_ms = []
    for n in range(1, 31):
        began = time.perf_counter()
        anchor(door, root("lone", n))
        took_ms.append((time.perf_counter() - began) * 1000)
    took_ms.sort()
    print(f"\nlone submit: p50 {took_ms[14]:.0f} ms, p95 {took_ms[28]:.0f} ms (blocks after 100 ms)")
    assert took_ms[14] < 400
