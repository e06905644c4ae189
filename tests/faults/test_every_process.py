"""Each process of a real consortium is killed once in the middle of a round; the run must end in the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from custody import demo
from custody.consortium import MODEL, Consortium

Moment = Callable[[Consortium, int], object]


class Hasty(Consortium):
    """Offers a task again soon after whoever fetched it is gone."""

    @property
    def gateway_environment(self) -> dict[str, str]:
        return {**super().gateway_environment, "TASK_LEASE_S": "3"}


def round_is_open(consortium: Consortium, number: int) -> object:
    return consortium.state_or_none(f"round/{MODEL}/{number}")


def first_update_is_anchored(consortium: Consortium, number: int) -> object:
    anchored = (f"update/{MODEL}/{number}/{name}" for name in consortium.site_names)
    return next(filter(None, map(consortium.state_or_none, anchored)), None)


def version_is_registered(consortium: Consortium, number: int) -> object:
    return consortium.state_or_none(f"version/{MODEL}/{number}")


STRIKES: tuple[tuple[int, str, Moment], ...] = (
    (1, "ledger", round_is_open),
    (2, "gateway", first_update_is_anchored),
    (3, "site-1", round_is_open),
    (4, "validator", version_is_registered),
)
ROUNDS = len(STRIKES)


def weights_after_a_run(folder: Path, strikes: tuple[tuple[int, str, Moment], ...] = ()) -> list[str]:
    consortium = Hasty(folder)
    with consortium.running():
        demo.set_up(consortium)
        consortium.start_training(ROUNDS, demo.HYPERPARAMETERS)
        for number, name, moment in strikes:
            consortium.until(f"{moment.__name__} {number}", lambda: moment(consortium, number))  # noqa: B023
            consortium.kill(name)
            consortium.start(name)
        consortium.until("the last version is live", lambda: consortium.live_number() == ROUNDS)
        return [consortium.door.state(f"version/{v['id']}")["record"]["weights"] for v in consortium.versions()]


def test_processes_that_are_killed_start_again_and_every_round_ends_as_it_would_have(tmp_path: Path) -> None:
    undisturbed = weights_after_a_run(tmp_path / "undisturbed")
    assert len(undisturbed) == ROUNDS + 1
    assert weights_after_a_run(tmp_path / "struck", STRIKES) == undisturbed
