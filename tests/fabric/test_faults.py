"""What a caller hears while something is down, and that nothing acknowledged is lost."""

import time
from collections.abc import Callable, Iterator

import pytest

from custody.door import DoorError, DoorUnreachable
from tests.fabric.network import FabricLedger, Network
from tests.fabric.test_ledger import anchor, root

PATIENCE_S = 60.0


@pytest.fixture
def mended(network: Network) -> Iterator[None]:
    yield
    network.run("up")
    network.run("deploy")


def first_success_s(attempt: Callable[[], object]) -> float:
    began = time.monotonic()
    while True:
        try:
            attempt()
            return time.monotonic() - began
        except DoorError:
            if time.monotonic() - began > PATIENCE_S:
                raise


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize("node", ["chaincode.org1", "chaincode.org2", "peer0.org2", "peer0.org1"])
def test_who_cannot_endorse_is_told_as_unavailable(network: Network, ledger: FabricLedger, node: str) -> None:
    door = ledger.services["aggregator"]
    log = f"down-{node.lower()}"
    anchor(door, root(log, 1))
    network.kill(node)
    with pytest.raises(DoorError) as told:
        anchor(door, root(log, 2))
    assert told.value.code == "UNAVAILABLE"
    assert network.get("1", "/ready").status_code == 503
    network.run("up")
    network.run("deploy")
    took_s = first_success_s(lambda: anchor(door, root(log, 2)))
    print(f"\n{node} was killed; {took_s:.1f} s after it was back a write succeeded")


@pytest.mark.usefixtures("mended")
def test_a_lost_leader_costs_seconds_and_no_transaction(network: Network, ledger: FabricLedger) -> None:
    door = ledger.services["aggregator"]
    acknowledged = [anchor(door, root("leader", n)).txid for n in range(1, 6)]
    leader = next(line.split()[0] for line in network.run("status").splitlines() if " leader " in line)
    network.kill(leader)
    took_s = first_success_s(lambda: anchor(door, root("leader", 6)))
    print(f"\n{leader} led and was killed; {took_s:.1f} s until a write succeeded")
    for txid in acknowledged:
        assert network.get("2", f"/api/v1/transactions/{txid}").json()["code"] == "VALID"


@pytest.mark.usefixtures("mended")
def test_a_door_that_was_killed_finds_its_answers_again(network: Network, ledger: FabricLedger) -> None:
    headers = {"authorization": f"Bearer {network.token('1', 'aggregator')}", "idempotency-key": "across a crash"}
    body = {"arguments": [root("door", 1).decode()]}
    first = network.post("1", "/api/v1/log/anchor", body, **headers).json()
    network.kill("door.org1")
    with pytest.raises(DoorUnreachable):
        anchor(ledger.services["aggregator"], root("door", 2))
    network.run("deploy")
    assert network.post("1", "/api/v1/log/anchor", body, **headers).json()["txid"] == first["txid"]


@pytest.mark.usefixtures("mended")
def test_after_a_power_cut_everything_acknowledged_is_there(network: Network, ledger: FabricLedger) -> None:
    acknowledged = [anchor(ledger.services["aggregator"], root("power", n)) for n in range(1, 11)]
    nodes = [line.split()[0] for line in network.run("status").splitlines() if "127.0.0.1" in line]
    for node in nodes:
        network.kill(node)
    network.run("up")
    network.run("deploy")
    for committed in acknowledged:
        found = network.get("2", f"/api/v1/transactions/{committed.txid}").json()
        assert (found["block"], found["code"]) == (committed.block, "VALID")
