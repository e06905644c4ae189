"""Each process of a real consortium is killed once in the middle of a round; the run must end in the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from custody import demo
from custody.consortium import MODEL, Consortium

ROUNDS = 3
STRUCK = 2  # the round in which a process is killed

Moment = Callable[[Consortium], object]


def round_is_open(consortium: Consortium) -> object:
    return consortium.state_or_none(f"round/{MODEL}/{STRUCK}")


def first_update_is_anchored(consortium: Consortium) -> object:
    anchored = (f"update/{MODEL}/{STRUCK}/{name}" for name in consortium.site_names)
    return next(filter(None, map(consortium.state_or_none, anchored)), None)


def version_is_registered(consortium: Consortium) -> object:
    return consortium.state_or_none(f"version/{MODEL}/{STRUCK}")


def weights_of(consortium: Consortium) -> list[str]:
    return [consortium.door.state(f"version/{v['id']}")["record"]["weights"] for v in consortium.versions()]


def run(folder: Path, struck: str = "", moment: Moment = round_is_open) -> list[str]:
    consortium = Consortium(folder)
    with consortium.running():
        demo.set_up(consortium)
        consortium.start_training(ROUNDS, demo.HYPERPARAMETERS)
        if struck:
            consortium.until(moment.__name__, lambda: moment(consortium))
            consortium.kill(struck)
            consortium.start(struck)
        consortium.until("the last version is live", lambda: consortium.live_number() == ROUNDS)
        return weights_of(consortium)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return run(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize(
    ("struck", "moment"),
    [
        pytest.param("ledger", round_is_open, id="the ledger while sites train"),
        pytest.param("gateway", first_update_is_anchored, id="the gateway between two updates"),
        pytest.param("site-1", round_is_open, id="a site while it trains"),
        pytest.param("validator", version_is_registered, id="the validator before it scored"),
    ],
)
def test_a_killed_process_starts_again_and_the_round_ends_as_it_would_have(
    struck: str, moment: Moment, undisturbed: list[str], tmp_path: Path
) -> None:
    assert run(tmp_path, struck, moment) == undisturbed
