"""Sites and a validator in a real consortium: the real ledger, the real gateway, every part a process of its own."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from custody.consortium import MODEL, Consortium
from custody.demo import set_up

WISH: dict[str, int | str] = {"learning_rate_micro": 100_000, "local_epochs": 5, "seed": 7}


@dataclass
class Harmful(Consortium):
    """A consortium in which sites can be started with a simulated fault."""

    faults: dict[str, str] = field(default_factory=dict)

    def _command_of(self, name: str) -> list[str]:
        wish = self.faults.get(name)
        return [*super()._command_of(name), *(["--simulate-fault", wish] if wish else [])]

    @property
    def gateway_environment(self) -> dict[str, str]:
        return {**super().gateway_environment, "TASK_LEASE_S": "5"}

    def restart(self, name: str, wish: str = "") -> None:
        self.kill(name)
        self.faults[name] = wish
        self.start(name)

    def train(self, rounds: int) -> None:
        """A run ends a moment after its last version went live: when that was scored on the test set."""
        self.until("the run before to end", lambda: self.gateway.training(MODEL)["state"] != "running")
        self.gateway.start_training(MODEL, rounds, WISH, round_seconds=120)

    def log(self, name: str) -> str:
        return (self.root / "logs" / f"{name}.log").read_text()


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harmful]:
    made = Harmful(tmp_path_factory.mktemp("consortium"), sites=3)
    with made.running():
        set_up(made)
        yield made


def test_rounds_go_on_where_sites_and_validator_were_killed(consortium: Harmful) -> None:
    consortium.gateway.start_training(MODEL, 3, WISH, round_seconds=120)
    for version, name in ((1, "site-1"), (2, "validator")):
        consortium.until(f"version {version}", lambda: consortium.state_or_none(f"version/{MODEL}/{version}"))  # noqa: B023
        consortium.restart(name)
    consortium.until("version 3 live", lambda: consortium.live_number() == 3)
    for number in (1, 2, 3):
        sealed = consortium.door.state(f"round/{MODEL}/{number}")["outcome"]
        assert (sealed["outcome"], sealed["count"]) == ("sealed", 3)
    assert consortium.version(3)["score"] > 9_000


def test_a_poisoned_round_is_rolled_back_and_every_site_says_what_it_holds(consortium: Harmful) -> None:
    consortium.restart("site-3", "scale:-20")
    consortium.train(1)
    decided = consortium.until("version 4 decided", lambda: consortium.decided(4))
    assert decided["decision"] == "rollback"
    consortium.until("the pointer has moved", lambda: consortium.pointer()["kind"] == "rollback")
    assert consortium.live_number() == 3
    seq = consortium.pointer()["seq"]
    consortium.until("all have acknowledged", lambda: consortium.acknowledged(seq))
    assert "THIS WORKER SIMULATES A FAULT: scale:-20" in consortium.log("site-3")
    weights = consortium.door.state(f"version/{consortium.pointer()['to']}")["record"]["weights"]
    for name in consortium.site_names:
        assert consortium.door.state(f"ack/{MODEL}/{seq}/{name}")["record"]["weights"] == weights


def test_weights_that_are_not_numbers_are_left_out_of_the_version(consortium: Harmful) -> None:
    consortium.restart("site-3", "nan")
    consortium.train(1)
    version = consortium.until("version 5", lambda: consortium.decided(5))
    record = consortium.door.state(f"version/{version['id']}")["record"]
    assert [one["participant"] for one in record["included"]] == ["site-1", "site-2"]
    assert [one["participant"] for one in record["excluded"]] == ["site-3"]


def test_a_site_can_show_what_it_handed_in(consortium: Harmful) -> None:
    shown = consortium.command("worker", "status", "--home", consortium.site_home("site-1"))
    assert f"site-1 of Org1MSP, model {MODEL}, ledger {consortium.door.chain().genesis}" in shown
    assert "round 3: accepted" in shown
