"""One exit code, from what was checked and from what was known beforehand; and no socket on the way."""

import json
import socket
from pathlib import Path

import pytest

from sealed.keys import SealingKey
from tests.verifier.forge import Forge
from tests.verifier.packing import Pack, pack_of, pin_file
from tests.verifier.story import Story, a_short_life
from verifier.__main__ import main
from verifier.report import Broken, Place, Report, Status, Stop, Tally, Verdict
from verifier.trust import TrustError, parse_trust


class Ledger:
    def __init__(self) -> None:
        self.forge = Forge()
        self.story = Story(self.forge)
        a_short_life(self.story)

    def pack(self, *, with_updates: bool = True) -> Pack:
        return pack_of(self.story, self.forge.blocks, with_updates=with_updates)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def bundle(ledger: Ledger, tmp_path: Path) -> str:
    return str(ledger.pack().write(tmp_path / "bundle.zip"))


def key_file(key: SealingKey, path: Path) -> str:
    key.save(path)
    return str(path)


def test_without_trust_evidence_is_consistent_at_most(bundle: str) -> None:
    assert main([bundle]) == Verdict.CONSISTENT


def test_a_genesis_hash_alone_vouches_for_no_history(bundle: str, ledger: Ledger) -> None:
    assert main([bundle, "--trust", f"genesis:{ledger.forge.genesis}"]) == Verdict.CONSISTENT


def test_another_genesis_is_another_ledger(bundle: str) -> None:
    assert main([bundle, "--trust", f"genesis:{'0c' * 32}"]) == Verdict.BROKEN


def test_a_pinned_head_makes_it_verified(bundle: str, ledger: Ledger, tmp_path: Path) -> None:
    assert main([bundle, "--trust", str(pin_file(tmp_path / "pin", ledger.forge.blocks))]) == Verdict.VERIFIED


def test_a_pin_reaches_as_far_as_its_block(
    bundle: str, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([bundle, "--trust", str(pin_file(tmp_path / "pin", ledger.forge.blocks, 20))]) == Verdict.VERIFIED
    said = capsys.readouterr().out
    assert "VERIFIED up to the pinned block" in said
    assert "NOT CHECKED  after the pin" in said


def test_a_pin_of_another_chain_is_broken(bundle: str, tmp_path: Path) -> None:
    assert main([bundle, "--trust", str(pin_file(tmp_path / "pin", Forge().blocks))]) == Verdict.BROKEN


def test_the_exporter_is_known_by_its_key(ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = ledger.pack()
    path = str(pack.write(tmp_path / "bundle.zip"))
    main([path, "--trust", f"exporter:{pack.exporter}", "--json"])
    status = {check["name"]: check["status"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert status["exporter"] == "PASS"


def test_a_key_for_a_bundle_without_blobs_decides_nothing(ledger: Ledger, tmp_path: Path) -> None:
    path = str(ledger.pack(with_updates=False).write(tmp_path / "bundle.zip"))
    key = key_file(ledger.story.auditor, tmp_path / "key.pem")
    assert main([path, "--keys", key]) == Verdict.UNDECIDED


def test_a_key_that_nothing_is_sealed_to_decides_nothing(bundle: str, tmp_path: Path) -> None:
    assert main([bundle, "--keys", key_file(SealingKey.generate(), tmp_path / "key.pem")]) == Verdict.UNDECIDED


@pytest.mark.parametrize("argument", ["genesis:xyz", "exporter:", "nowhere.json"])
def test_trust_that_cannot_be_read_decides_nothing(bundle: str, argument: str) -> None:
    with pytest.raises(TrustError):
        parse_trust([argument])
    assert main([bundle, "--trust", argument]) == Verdict.UNDECIDED


def test_a_file_that_is_not_there_decides_nothing(tmp_path: Path) -> None:
    assert main([str(tmp_path / "none.zip")]) == Verdict.UNDECIDED
    assert main(["--log", str(tmp_path / "blocks.log")]) == Verdict.UNDECIDED


def test_no_socket_is_opened(bundle: str, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    pin = str(pin_file(tmp_path / "pin", ledger.forge.blocks))
    key = key_file(ledger.story.auditor, tmp_path / "key.pem")
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert main([bundle, "--trust", pin, "--keys", key]) == Verdict.VERIFIED


def test_zero_entries_are_never_green() -> None:
    tally = Tally(("rules",))
    with tally.stage("rules"):
        pass
    (check,) = tally.checks()
    assert (check.status, check.detail) == (Status.NOT_CHECKED, "nothing to check")


def test_a_check_that_did_not_finish_has_not_passed() -> None:
    tally = Tally(("chain", "rules"))

    def broken() -> None:
        raise Broken("bent", Place(key="k"))

    tally.hold("chain")
    with pytest.raises(Stop), tally.stage("chain", "rules"):
        tally.run("rules", Place(block=3), broken)
    chain, rules = tally.checks()
    assert chain.status is Status.NOT_CHECKED
    assert (rules.status, str(rules.place)) == (Status.FAIL, "block 3, k")


def test_the_report_is_text_and_json() -> None:
    report = Report({"model": "digits"}, [], Verdict.BROKEN, "BROKEN: x.")
    assert json.loads(report.json())["exit"] == 1
    assert report.text().endswith("BROKEN: x.")
