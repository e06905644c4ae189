"""network.sh: what it refuses, and what it says."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.fabric.network import FabricLedger, Network, up
from tests.fabric.test_ledger import anchor, root


@pytest.mark.usefixtures("network")
def test_without_binaries_it_says_which_are_missing(tmp_path: Path) -> None:
    done = Network(tmp_path / "none").attempt("up", FABRIC_BIN=str(tmp_path))
    assert done.returncode != 0
    assert f"peer is not in {tmp_path}" in done.stderr
    assert not (tmp_path / "none").exists()


def test_other_settings_for_the_same_network_are_refused(network: Network) -> None:
    done = network.attempt("up", "--orderers", "1")
    assert done.returncode != 0
    assert "was made with orderers 3, not 1" in done.stderr


def test_certificates_of_another_network_are_refused(network: Network) -> None:
    kept = network.state / "crypto.kept"
    (network.state / "crypto").rename(kept)
    try:
        done = network.attempt("up")
        assert done.returncode != 0
        assert "holds a ledger that was begun with other certificates" in done.stderr
    finally:
        shutil.rmtree(network.state / "crypto", ignore_errors=True)
        kept.rename(network.state / "crypto")


def test_a_second_network_cannot_take_the_ports(network: Network, tmp_path: Path) -> None:
    other = Network(tmp_path / "other", network.base)
    done = other.attempt("up", "--base", str(network.base))
    assert done.returncode != 0
    assert "something else listens on" in done.stderr


def test_doctor_names_what_is_down_and_the_remedy(network: Network) -> None:
    network.kill("chaincode.org2")
    done = network.attempt("doctor")
    assert done.returncode != 0
    assert "chaincode does not answer: chaincode.org2" in done.stdout
    network.run("deploy")
    assert "0 problems" in network.run("doctor")


def test_a_process_that_only_has_an_old_number_of_ours_is_left_alone(network: Network, tmp_path: Path) -> None:
    other = Network(tmp_path / "other", network.base + 2000)
    home = other.state / "nodes" / "peer0.org1"
    home.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (home / "process").write_text(f"{stranger.pid}\nMon Jan  1 00:00:00 2024\n")
        other.run("down")
        assert stranger.poll() is None
        stranger.kill()


def test_certs_shows_the_next_to_end_first(network: Network) -> None:
    days = [int(line.split()[0]) for line in network.run("certs").splitlines()]
    assert days == sorted(days)
    assert 80 < days[0] <= 365


def test_a_small_network_of_two_peers_each_commits_within_ten_seconds(network: Network, tmp_path: Path) -> None:
    began = time.monotonic()
    with up(tmp_path / "small", network.base + 1000, "--orderers", "1", "--peers", "2") as small:
        anchor(small.door("1", "aggregator"), root("first", 1))
        took_s = time.monotonic() - began
        assert "0 problems" in small.run("doctor")
        FabricLedger(small)
    print(f"\nfrom nothing to the first committed transaction: {took_s:.1f} s")
    assert took_s < 10
