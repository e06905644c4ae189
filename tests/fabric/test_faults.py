"""What a caller hears while something is down, and that nothing acknowledged is lost."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from custody.door import Door, DoorError, DoorUnreachable
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


@dataclass
class Writer:
    """Anchors one root after the other in a log of its own; what fails is tried again, the very same."""

    door: Door
    log: str
    until: threading.Event
    acknowledged: dict[str, int] = field(default_factory=dict)  # txid → number
    longest_s: float = 0.0

    def run(self) -> None:
        while not self.until.is_set():
            number = len(self.acknowledged) + 1
            began = time.monotonic()
            first_success_s(lambda number=number: self.anchor(number))  # type: ignore[misc]
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def anchor(self, number: int) -> None:
        self.acknowledged[anchor(self.door, root(self.log, number)).txid] = number


def victim_of(network: Network, role: str) -> str:
    if role not in ("leader", "follower"):
        return role
    return next(line.split()[0] for line in network.run("status").splitlines() if f" {role} " in line)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(
    "role", ["leader", "follower", "peer0.org1", "peer0.org2", "chaincode.org1", "chaincode.org2", "door.org1"]
)
def test_under_load_nothing_acknowledged_is_lost_and_nothing_happens_twice(
    network: Network, ledger: FabricLedger, role: str
) -> None:
    until = threading.Event()
    logs = [f"load-{role.lower()}-{n}" for n in range(8)]
    writers = [Writer(ledger.services["aggregator"], log, until) for log in logs]
    victim = victim_of(network, role)
    start = network.door("2").chain().height
    with ThreadPoolExecutor(len(writers)) as pool:
        running = [pool.submit(writer.run) for writer in writers]
        first_success_s(lambda: all_have(writers, 3))
        network.kill(victim)
        network.run("up")
        network.run("deploy")
        enough = max(len(writer.acknowledged) for writer in writers) + 3
        first_success_s(lambda: all_have(writers, enough))
        until.set()
        for done in running:
            done.result()
    longest_s = max(writer.longest_s for writer in writers)
    print(f"\n{victim} ({role}) was killed under load and started again: no write took longer than {longest_s:.1f} s")
    written: dict[str, list[int]] = {}
    for event in network.door("2").events(start):
        for key, state in event["payload"]["writes"].items():
            if key.startswith("root/load-") and not key.endswith("/head"):
                written.setdefault(state["record"]["log"], []).append(state["record"]["number"])
    for writer in writers:
        assert written[writer.log] == sorted(writer.acknowledged.values())


def all_have(writers: Sequence[Writer], count: int) -> None:
    if any(len(writer.acknowledged) < count for writer in writers):
        time.sleep(0.05)
        raise DoorError("EARLY", "not yet")


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
