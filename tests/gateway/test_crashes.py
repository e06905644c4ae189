"""Killed at any moment and started again, a run ends as it would have."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import select

from gateway import pipeline
from gateway.database import Base
from tests.gateway.conftest import World
from tests.gateway.crashes import LosesWrites, Power, PowerCut, powered
from tests.gateway.federation import MODEL, expected_weights

NEVER = threading.Event()
WRITTEN = ("OpenRound", "CloseRound", "RegisterModelUpdate", "Promote", "RollbackModel")
MOMENTS = {
    f"{when} {what}"
    for when in ("before", "after")
    for what in (*(f"submit {function}" for function in WRITTEN), "put", "pin", "offer", "a commit")
}


def test_a_run_survives_a_power_cut_at_every_moment(world: World) -> None:
    world.validator.scores_bp = {3: 5000}
    world.create_model()
    sites = world.admit("site-a", "site-b")
    world.start(4)
    cuts: set[str] = set()
    while world.training()["state"] != "ended":
        cuts |= set(drive_through_power_cuts(world))
        for site in sites:
            site.work(world.http)
        world.validator.work(world.http)
    assert not MOMENTS - cuts
    assert [site.done for site in sites] == [["TRAIN"] * 3 + ["ROLLBACK", "TRAIN"]] * 2
    live = world.consortium.live()
    assert (live["number"], live["weights"]) == (4, expected_weights([1, 2, 4], ["site-a", "site-b"]))
    assert world.versions_on_the_ledger() == 4
    assert [number for number, purpose in world.validator.scored if purpose == "probe"] == [1, 2, 3, 4]


def drive_through_power_cuts(world: World) -> Iterator[str]:
    """From each state that lasts, the power goes out at every next moment in turn, until one changed something."""
    moments, before = 0, what_lasts(world)
    while True:
        world.index()
        power = Power(moments)
        try:
            pipeline.drive(powered(world.system, power), MODEL, NEVER)
        except PowerCut:
            yield power.cut_at
        else:
            return
        moments, before = (0, after) if (after := what_lasts(world)) != before else (moments + 1, before)


def what_lasts(world: World) -> tuple[int, str]:
    """Blobs that nothing refers to yet are left out: each attempt may leave one."""
    kept = [table for name, table in Base.metadata.tables.items() if name.startswith("kept_")]
    with world.system.database.reading() as session:
        rows = [repr(sorted(map(tuple, session.execute(select(table))), key=repr)) for table in kept]
    return world.system.ledger.chain().height, "".join(rows)


def test_a_store_that_forgets_gets_no_version_on_the_ledger(world: World) -> None:
    world.create_model()
    sites = world.admit("site-a")
    world.start(1)
    world.drive()
    sites[0].work(world.http)
    world.index()
    pipeline.drive(replace(world.system, blobs=LosesWrites(world.system.blobs)), MODEL, NEVER)
    assert world.versions_on_the_ledger() == 0
    assert "BlobMissing" in world.training()["trouble"]
    world.settle()
    assert world.consortium.live()["number"] == 1
    assert world.training()["trouble"] == ""
