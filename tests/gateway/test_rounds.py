"""Rounds against a real ledger: what the gateway does, and what it leaves on the ledger and in its store."""

from gateway import blobs
from tests.gateway.conftest import World


def test_three_rounds_end_in_a_version_that_everyone_can_open(world: World) -> None:
    genesis = world.create_model()
    world.admit("site-a", "site-b")
    world.start(3)
    world.settle()
    live = world.consortium.live()
    assert (live["number"], live["round"]) == (3, 3)
    assert [update["participant"] for update in live["included"]] == ["site-a", "site-b"]
    assert world.validator.scored == [(n, purpose) for n in (1, 2, 3) for purpose in ("probe", "test")]
    assert blobs.read(world.system.blobs, live["blob"]["sha256"])
    assert world.consortium.reader.state(f"version/{genesis}")
