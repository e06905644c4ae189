"""None of these is green, and each is told by what is wrong with it."""

import json
import random
from pathlib import Path

import pytest

from tests.campaigns import Campaign
from tests.tamper.bundles import CASES, Bad, Good
from tests.verifier.packing import pin_file
from verifier.__main__ import main
from verifier.report import Verdict


def verdict_of(bundle: Path, good: Good, *more: str) -> int:
    pin, key = bundle.with_suffix(".pin"), bundle.with_suffix(".pem")
    pin.unlink(missing_ok=True)
    key.unlink(missing_ok=True)
    pin_file(pin, good.blocks)
    good.story.auditor.save(key)
    return main([str(bundle), "--trust", str(pin), "--keys", str(key), *more])


def test_the_good_bundle_is_verified(good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = good.pack().write(tmp_path / "good.zip")
    assert verdict_of(bundle, good, "--json") == Verdict.VERIFIED
    report = json.loads(capsys.readouterr().out)
    assert {check["name"] for check in report["checks"] if check["status"] != "PASS"} == {"exporter"}
    assert min(check["entries"] for check in report["checks"]) > 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_bundle_is_refused_and_told(
    case: Bad, good: Good, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bad.zip"
    case.make(good, bundle)
    assert verdict_of(bundle, good) == case.exit
    said = capsys.readouterr()
    assert case.told in said.out + said.err


def test_no_flipped_bit_is_accepted(good: Good, tmp_path: Path, campaign: Campaign) -> None:
    whole = good.pack().write(tmp_path / "good.zip").read_bytes()
    bundle, chance = tmp_path / "flipped.zip", random.Random(7)
    for _ in range(campaign("a bit of a bundle flipped", sampled=40, full=2000)):
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        bundle.write_bytes(whole[:at] + bytes((whole[at] ^ 1 << bit,)) + whole[at + 1 :])
        assert verdict_of(bundle, good) in {Verdict.BROKEN, Verdict.UNDECIDED}, f"bit {bit} of byte {at}"
