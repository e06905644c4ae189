"""A worker against a gateway that follows the wire: what it hands in, what a crash leaves, what it does not believe.

Where a crash matters it is a real process that gets a real SIGKILL; otherwise the worker runs in the test's own."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np
import pytest

from fl_worker.client import Connection, Gateway, Membership, NotAdmitted, Rejected, Unreachable, Untrustworthy
from fl_worker.data import DataError, load_examples, read_shard
from fl_worker.datasets import main as datasets
from fl_worker.faults import UnknownFault, fault
from fl_worker.home import Held, Home, HomeError, Identity, create, load
from fl_worker.model import build, initial_weights
from fl_worker.site import load_site
from fl_worker.train import Hyperparameters, seed_of, settle, train
from fl_worker.worker import Worker
from sealed.codec import CodecError
from sealed.keys import SigningKey
from sealed.records import parse, record_id
from sealed.tensors import Tensors, weights_hash
from tests.worker.small_gateway import GENESIS, MODEL, SmallGateway, free_port, serving

settle()

START = initial_weights("mlp-64-64-10", 1)


def until(done: Callable[[], object], otherwise: Callable[[], str] = str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"it did not happen; {otherwise()}"
        time.sleep(0.01)


def carry_out_next(worker: Worker) -> None:
    task = worker.gateway.next_task()
    assert task is not None
    worker.carry_out(task)


@dataclass
class Site:
    home: Path
    data: Path
    gateway: SmallGateway
    log: Path
    lines: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def worker(self, wish: str = "", own: Path | None = None) -> Iterator[Worker]:
        home, shard = load(self.home), read_shard(self.data)
        with Connection(self.gateway.url, give_up_s=5, tell=self.lines.append) as connection:
            member = Membership(connection, MODEL, "site-1", GENESIS, home.signing)
            gateway = Gateway(connection, member, GENESIS)
            yield Worker(home, gateway, load_site(own), self.data, shard, None, fault(wish), self.lines.append)

    def does_its_task(self, wish: str = "", own: Path | None = None) -> None:
        with self.worker(wish, own) as worker:
            carry_out_next(worker)

    def does_not_join(self, reason: str) -> None:
        with self.worker() as worker, pytest.raises(Untrustworthy, match=reason):
            worker.gateway.next_task()

    @property
    def last_line(self) -> str:
        return self.lines[-1]

    @contextmanager
    def running(self, *more: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [
            sys.executable, "-m", "fl_worker", "run", "--gateway", self.gateway.url, "--home", str(self.home),
            "--data", str(self.data), "--model-id", MODEL, *more,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.process = process
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def said(self) -> str:
        return self.log.read_text()

    def says(self, words: str) -> None:
        until(lambda: words in self.said() or self.ended(), self.said)
        assert words in self.said()

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def kept(self) -> list[Path]:
        return [path for path in (self.home / "rounds").iterdir() if not path.name.startswith(".")]

    def expected(self, number: int, base: Tensors, **wish: int | str) -> Tensors:
        """What the worker must come to: training has no other inputs than these."""
        model, seed = build({"name": "mlp-64-64-10"}), seed_of(MODEL, number, "site-1", int(wish.get("seed", 0)))
        return train(model, base, load_examples(self.data), Hyperparameters.read(wish), seed).weights

    def handed_in(self, base: Tensors) -> Tensors:
        """The weights that the one update leads to."""
        (manifest,) = self.gateway.manifests
        return {name: base[name] + change for name, change in self.gateway.opened(manifest, base).items()}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("digits")
    datasets(["prepare", "--out", str(out)])
    return out


@pytest.fixture
def site(tmp_path: Path, prepared: Path) -> Iterator[Site]:
    home = create(tmp_path / "home", Identity("site-1", "Org1MSP", MODEL, GENESIS))
    record = parse(json.loads((home.path / "participant.json").read_text())["record"])
    keys = {"ed25519": str(record["ed25519"]), "x25519": str(record["x25519"])}
    with serving(SmallGateway(free_port(), {"site-1": keys})) as gateway:
        yield Site(home.path, prepared / "site-1" / "train.safetensors", gateway, tmp_path / "worker.log")


def close(found: Tensors, expected: Tensors) -> bool:
    return all(np.allclose(found[name], expected[name], atol=1e-6) for name in expected)


def held(home: Home) -> Held:
    found = home.held()
    assert found is not None
    return found


def test_a_round_ends_with_a_receipt_and_nothing_secret_is_left(site: Site) -> None:
    record = site.gateway.offer_round([site.gateway.add_version(START)], codec="xor.1", local_epochs=2)
    site.does_its_task()
    assert "anchored in block 7" in site.last_line
    manifest = parse(site.gateway.manifests[0])
    assert manifest["shard"] == read_shard(site.data).commitment
    assert manifest["examples"] == len(load_examples(site.data))
    assert close(site.handed_in(START), site.expected(1, START, local_epochs=2))
    left = sorted(file.name for file in (site.home / "rounds" / record_id(record)).iterdir())
    assert left == ["outcome.json", "update.json"]
    status = [sys.executable, "-m", "fl_worker", "status", "--home", str(site.home)]
    shown = subprocess.run(status, capture_output=True, check=True).stdout.decode()
    assert "round 1: accepted, block 7" in shown
    assert f"holds version 0 ({held(load(site.home)).version})" in shown


def test_a_model_with_integer_buffers_goes_through_the_lossy_codec(site: Site) -> None:
    start = initial_weights("small-cnn", 1)
    site.gateway.architecture = {"name": "small-cnn"}
    site.gateway.offer_round([site.gateway.add_version(start)])
    site.does_its_task()
    handed_in = site.handed_in(start)
    steps = -(-len(load_examples(site.data)) // Hyperparameters().batch_size)
    assert handed_in["blocks.0.1.num_batches_tracked"] == steps
    assert {name: array.dtype for name, array in handed_in.items()} == {
        name: array.dtype for name, array in start.items()
    }


@pytest.mark.parametrize("stall_at", ["PUT /blobs", "POST /rounds"])
def test_after_a_kill_the_same_bytes_are_handed_in_and_nothing_is_trained_again(site: Site, stall_at: str) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)])
    site.gateway.stall_at = stall_at
    with site.running() as first:
        until(site.gateway.stalled.is_set, site.said)
        first.send_signal(signal.SIGKILL)
        first.wait()
    (kept,) = site.kept()
    sealed = json.loads((kept / "update.json").read_text())["manifest"]
    site.gateway.carry_on()
    site.does_its_task()
    assert [manifest.decode() for manifest in site.gateway.manifests] == [sealed]
    assert not any("training on" in line for line in site.lines)
    assert "anchored in block 7" in site.last_line


def test_after_a_kill_in_the_middle_of_training_the_same_weights_come_out(site: Site) -> None:
    wish: dict[str, int | str] = {"codec": "xor.1", "local_epochs": 60}
    site.gateway.offer_round([site.gateway.add_version(START)], **wish)
    with site.running() as first:
        site.says("epoch 3/60")
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert site.kept() == []
    site.does_its_task()
    assert close(site.handed_in(START), site.expected(1, START, **wish))


def test_a_crash_between_sealing_and_keeping_leaves_no_half_of_a_round(site: Site) -> None:
    record = site.gateway.offer_round([site.gateway.add_version(START)])
    half = site.home / "rounds" / f".{record_id(record)}.partial"
    half.mkdir(parents=True)
    (half / "blob").write_bytes(b"half of it")
    site.does_its_task()
    assert len(site.gateway.manifests) == 1
    assert not half.exists()


def test_a_round_that_is_done_is_not_handed_in_twice(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    for _ in range(2):
        site.gateway.offer_round([genesis])
        site.does_its_task()
    assert site.last_line == "round 1 is done: accepted"
    assert len(site.gateway.manifests) == 1


def test_a_refused_update_is_said_and_the_worker_goes_on(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    site.gateway.refusal = "round 1 is closed: late"
    site.gateway.offer_round([genesis])
    site.does_its_task()
    assert site.last_line == "round 1: the ledger refused the update: round 1 is closed: late"
    site.gateway.refusal = ""
    site.gateway.offer_round([genesis], 2)
    site.does_its_task()
    assert "round 2: handed in" in site.last_line


@pytest.mark.parametrize(
    ("wish", "reason"),
    [({"learning_rate_micro": 2**53 - 1}, "too large"), ({"beam_width": 4}, "beam_width is not a hyperparameter")],
)
def test_a_training_that_comes_to_nothing_hands_nothing_in(site: Site, wish: dict[str, int], reason: str) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)], **wish)
    site.does_its_task()
    assert reason in site.last_line
    assert site.gateway.manifests == []


def test_a_rollback_discards_what_was_not_sent_and_signs_what_is_held(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    parent = (genesis["version_id"], START)
    later = site.gateway.add_version(site.expected(9, START), parent, number=1)
    site.gateway.offer_round([genesis, later], 2)
    site.gateway.stall_at = "PUT /blobs"
    with site.running() as first:
        until(site.gateway.stalled.is_set, site.said)
        first.kill()
        first.wait()
    assert held(load(site.home)).number == 1
    assert len(site.kept()) == 1
    site.gateway.carry_on()
    site.gateway.tasks.clear()
    target = weights_hash(START)
    site.gateway.offer("ROLLBACK", {"model": MODEL, "seq": 4, "target": [genesis], "weights": target})
    site.does_its_task()
    ack = {"schema": "ack.1", "model": MODEL, "seq": 4, "participant": "site-1", "weights": target}
    assert site.gateway.acks == [ack]
    assert site.kept() == []
    assert held(load(site.home)).weights == target
    assert "1 unsent update discarded" in site.last_line


def test_a_rollback_to_other_weights_than_named_is_not_acknowledged(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    site.gateway.offer("ROLLBACK", {"model": MODEL, "seq": 4, "target": [genesis], "weights": "ee" * 32})
    site.does_its_task()
    assert "does not have the weights that the rollback names" in site.last_line
    assert site.gateway.acks == []


def test_only_what_is_new_is_fetched_for_the_next_round(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    after = site.gateway.add_version(site.expected(1, START), (genesis["version_id"], START), 1)
    site.gateway.offer_round([genesis])
    site.does_its_task()
    site.gateway.asked.clear()
    site.gateway.offer_round([genesis, after], 2)
    site.does_its_task()
    fetched = [asked for asked in site.gateway.asked if asked.startswith("GET /blobs")]
    assert len(fetched) == 2  # the newest version, and its own update read back


def test_damaged_held_weights_are_fetched_anew_and_that_is_said(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    site.gateway.offer_round([genesis])
    site.does_its_task()
    weights = site.home / "held" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    site.gateway.offer_round([genesis], 2)
    site.does_its_task()
    assert any("fetching it anew" in line for line in site.lines)
    assert "round 2: handed in" in site.last_line


def test_a_changed_blob_is_refused(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    (sha256,) = site.gateway.blobs
    site.gateway.blobs[sha256] = site.gateway.blobs[sha256][:-1] + b"\0"
    site.gateway.offer_round([genesis])
    site.does_its_task()
    assert "sent other bytes than those of blob" in site.last_line
    assert site.gateway.manifests == []


def test_a_receipt_that_the_gateway_did_not_sign_is_not_taken(site: Site) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)])
    site.gateway.signs_receipts_with = SigningKey.generate()
    site.does_its_task()
    assert "the signature of the gateway's receipt is not right" in site.last_line
    assert (site.kept()[0] / "blob").exists()


def test_another_ledger_is_refused(site: Site) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)])
    site.gateway.genesis = "cd" * 32
    site.does_its_task()
    assert "speaks for ledger cdcd" in site.last_line


def test_nothing_but_a_challenge_is_signed_to_join(site: Site) -> None:
    site.gateway.challenge = {
        "schema": "ack.1",
        "model": MODEL,
        "seq": 1,
        "participant": "site-1",
        "weights": "00" * 32,
    }
    site.does_not_join("nothing was signed")
    site.gateway.challenge = {"schema": "join.1", "model": MODEL, "participant": "site-2"}
    site.does_not_join("nothing was signed")


def test_a_worker_waits_for_a_gateway_that_is_not_there_yet(site: Site) -> None:
    away = SmallGateway(free_port(), site.gateway.participants)
    away.offer_round([away.add_version(START)])
    elsewhere = Site(site.home, site.data, away, site.log)
    with elsewhere.running():
        elsewhere.says("trying again")
        with serving(away):
            elsewhere.says("round 1: handed in")


def test_a_client_told_to_give_up_does(site: Site) -> None:
    nobody = Connection(f"http://127.0.0.1:{free_port()}", give_up_s=0.5, tell=site.lines.append)
    with nobody, pytest.raises(Unreachable, match="does not answer"):
        nobody.ask("GET", "/tasks")


def test_a_token_that_ran_out_is_renewed(site: Site) -> None:
    with site.worker() as worker:
        assert worker.gateway.next_task(0) is None
        site.gateway.expired = True
        assert worker.gateway.next_task(0) is None
    assert site.gateway.joined == 2


def test_who_is_not_registered_is_told_so_and_the_worker_ends(site: Site) -> None:
    site.gateway.participants.clear()
    with site.worker() as worker, pytest.raises(NotAdmitted, match="site-1 is not registered for digits"):
        worker.run()
    with site.running() as process:
        assert process.wait(60) == 1


def test_data_that_changed_is_not_trained_on(site: Site, tmp_path: Path) -> None:
    site.data = Path(shutil.copytree(site.data.parent, tmp_path / "data")) / site.data.name
    site.gateway.offer_round([site.gateway.add_version(START)])
    with site.worker() as worker:
        site.data.write_bytes(site.data.read_bytes()[:-1] + b"\1")
        carry_out_next(worker)
    assert "it is not the file it was" in site.last_line
    with pytest.raises(DataError, match="it is not the file it was"), site.worker():
        pass


def test_an_architecture_the_site_did_not_agree_to_is_not_trained(site: Site) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)])
    with site.worker() as worker:
        worker.expected = {"name": "mlp-64-32-10"}
        carry_out_next(worker)
    assert "this worker was started to train" in site.last_line


def test_one_home_has_one_worker(site: Site) -> None:
    home = load(site.home)
    with home.locked(), pytest.raises(HomeError, match="another worker is running"), home.locked():
        pass


def test_sigterm_ends_it_at_once_and_cleanly(site: Site) -> None:
    with site.running() as process:
        until(lambda: any("GET /tasks" in asked for asked in site.gateway.asked), site.said)
        process.terminate()
        assert process.wait(5) == 0
    assert "stopped; what was sealed is kept" in site.said()


def test_a_home_belongs_to_one_participant(site: Site) -> None:
    public = load(site.home).signing.public
    create(site.home, Identity("site-1", "Org1MSP", MODEL, GENESIS))
    assert load(site.home).signing.public == public
    with pytest.raises(HomeError, match="take another --home"):
        create(site.home, Identity("site-2", "Org1MSP", MODEL, GENESIS))
    assert (site.home / "signing.pem").stat().st_mode & 0o77 == 0


def test_a_site_brings_its_own_model_and_training(site: Site, tmp_path: Path) -> None:
    (tmp_path / "my_site.py").write_text(OWN_SITE)
    site.gateway.offer_round([site.gateway.add_version(START)], codec="xor.1")
    site.does_its_task(own=tmp_path / "my_site.py")
    assert all(np.allclose(array, 2 * START[name]) for name, array in site.handed_in(START).items())


OWN_SITE = """
from fl_worker.train import Trained

def train(model, base, examples, wish, seed, report):
    return Trained({name: 2 * array for name, array in base.items()}, len(examples), {"own": 1})
"""


@pytest.mark.parametrize(("wish", "factor"), [("scale:10", 10), ("sign-flip", -1), ("scale", 10)])
def test_a_simulated_fault_distorts_what_was_learned(site: Site, wish: str, factor: int) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)], codec="xor.1")
    site.does_its_task(wish)
    honest, handed_in = site.expected(1, START), site.handed_in(START)
    assert all(
        np.allclose(handed_in[name] - START[name], factor * (honest[name] - START[name]), atol=1e-4) for name in START
    )


@pytest.mark.parametrize("wish", ["label-flip", "noise:1000", "trigger:7"])
def test_a_simulated_fault_changes_what_is_handed_in(site: Site, wish: str) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)], codec="xor.1")
    site.does_its_task(wish)
    assert not close(site.handed_in(START), site.expected(1, START))


def test_a_simulated_nan_passes_our_encoder_and_fails_every_decoder(site: Site) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)])
    site.does_its_task("nan")
    with pytest.raises(CodecError, match="NaN"):
        site.handed_in(START)


def test_a_simulated_lie_claims_more_examples(site: Site) -> None:
    site.gateway.offer_round([site.gateway.add_version(START)])
    site.does_its_task("lie:123456")
    assert parse(site.gateway.manifests[0])["examples"] == 123456


def test_a_simulated_replay_names_the_blob_of_the_round_before(site: Site) -> None:
    genesis = site.gateway.add_version(START)
    for number in (1, 2):
        site.gateway.offer_round([genesis], number)
        site.does_its_task("last-blob")
    first, second = (parse(manifest)["blob"] for manifest in site.gateway.manifests)
    assert first == second


def test_a_simulated_theft_names_anothers_blob(site: Site, tmp_path: Path) -> None:
    (tmp_path / "stolen").write_bytes(b"what somebody else sealed")
    site.gateway.offer_round([site.gateway.add_version(START)])
    site.does_its_task(f"others-blob:{tmp_path / 'stolen'}")
    assert b"what somebody else sealed" in site.gateway.blobs.values()


def test_an_unknown_fault_names_the_known_ones() -> None:
    with pytest.raises(UnknownFault, match="label-flip, sign-flip"):
        fault("meteor")
    with pytest.raises(UnknownFault, match="takes a whole number"):
        fault("scale:ten")


def test_an_answer_that_is_none_is_not_believed(site: Site) -> None:
    def proxy(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, text="<html>please log in</html>")

    with Connection(site.gateway.url, httpx2.Client(transport=httpx2.MockTransport(proxy))) as connection:
        member = Membership(connection, MODEL, "site-1", GENESIS, load(site.home).signing)
        with pytest.raises(Untrustworthy, match=r"otherwise than docs/wire\.md says"):
            member.token()


def test_an_address_without_a_scheme_is_refused_at_once() -> None:
    with pytest.raises(Rejected, match="must start with http://"):
        Connection("gateway.example:7090")
