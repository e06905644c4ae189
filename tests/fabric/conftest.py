"""Real Fabric is asked for by `make fabric-test`. Then it has to be there: without its programs the tests fail."""

import os
from collections.abc import Iterator

import pytest

from tests.fabric.network import FabricLedger, Network, up

BASE = 27000  # of the ports: another network may run on the usual ones


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("CUSTODY_FABRIC_TEST") == "1":
        return
    for item in items:
        if "network" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="needs Fabric's binaries, and to be asked for: make fabric-test"))


@pytest.fixture(scope="session", params=["first", "again"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network from nothing, twice: what the first one leaves behind must not be in the way of the second."""
    with up(tmp_path_factory.mktemp("fabric") / request.param, BASE) as made:
        yield made


@pytest.fixture(scope="session")
def ledger(network: Network) -> FabricLedger:
    return FabricLedger(network)
