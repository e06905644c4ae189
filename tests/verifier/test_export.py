"""The gateway's bundle of a real ledger, read by the verifier: two programs that share a page of documentation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import app, wraps
from gateway.blobs import in_pieces
from gateway.bundle import Wish, write_bundle
from gateway.settings import from_environment
from gateway.system import System
from gateway.who import NotAllowed
from sealed.keys import SealingKey, SigningKey
from tests.verifier.packing import pin_file
from tests.verifier.real import RealLedger
from tests.verifier.story import MODEL, Story, a_short_life
from verifier.__main__ import main
from verifier.log import read_log
from verifier.report import Verdict


@pytest.fixture(scope="module")
def story(real_ledger: RealLedger) -> Story:
    told = Story(real_ledger)
    a_short_life(told)
    return told


@pytest.fixture
def system(story: Story, real_ledger: RealLedger, tmp_path: Path) -> Iterator[System]:
    keys = tmp_path / "keys"
    keys.mkdir()
    story.aggregator.save(keys / "sealing.pem")
    SigningKey.generate().save(keys / "receipt.pem")
    environment = {
        "LEDGER_URL": real_ledger.url,
        "LEDGER_TOKEN_FILE": str(real_ledger.folder / "identities" / "aggregator.token"),
        "BLOBS": f"folder:{tmp_path / 'blobs'}",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.db'}",
        "KEYS": str(keys),
    }
    with app.opened(from_environment(environment)) as opened:
        opened.projection.catch_up()
        fill(opened, story)
        yield opened


def fill(system: System, story: Story) -> None:
    for sha256, blob in story.blobs.items():
        system.blobs.put(sha256, in_pieces(blob))
        with system.database.writing() as session:
            wraps.keep(session, sha256, story.wraps[sha256])


def exported(system: System, folder: Path, recipient: str = "") -> Path:
    folder.mkdir()
    return write_bundle(system, Wish(MODEL, recipient), folder)


def test_what_the_gateway_exports_is_verified(
    system: System, story: Story, real_ledger: RealLedger, tmp_path: Path
) -> None:
    pin = str(pin_file(tmp_path / "pin", [raw for _, raw in read_log(real_ledger.log)]))
    story.auditor.save(tmp_path / "auditor.pem")
    bare, full = exported(system, tmp_path / "a"), exported(system, tmp_path / "b", story.auditor.public)
    assert main([str(bare), "--trust", pin]) == Verdict.VERIFIED
    assert main([str(full), "--trust", pin, "--keys", str(tmp_path / "auditor.pem")]) == Verdict.VERIFIED


def test_the_same_ledger_gives_the_same_bytes(system: System, story: Story, tmp_path: Path) -> None:
    one, other = (exported(system, tmp_path / name, story.auditor.public) for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_updates_are_exported_to_those_whom_the_policy_names(system: System, tmp_path: Path) -> None:
    with pytest.raises(NotAllowed):
        exported(system, tmp_path / "a", SealingKey.generate().public)
