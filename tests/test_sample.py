"""The committed sample is what the first minute of the demo shows: it must verify, and not with a byte changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from custody.bytechange import one_byte_changed
from custody.demo import SAMPLE, SAMPLE_KEY, SAMPLE_PIN
from verifier.__main__ import main as verify

VERIFIED, BROKEN, INTERNALLY_CONSISTENT = 0, 1, 3


def private(key: Path, folder: Path) -> Path:
    """As git keeps no modes, and a key that others can read is refused."""
    copy = folder / key.name
    shutil.copyfile(key, copy)
    copy.chmod(0o600)
    return copy


def test_the_sample_verifies_and_each_of_its_versions_is_recomputed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = private(SAMPLE_KEY, tmp_path)
    assert verify([str(SAMPLE), "--trust", str(SAMPLE_PIN), "--keys", str(keys)]) == VERIFIED
    assert "PASS         recompute               3" in capsys.readouterr().out


def test_the_sample_without_a_pinned_head_is_internally_consistent_only() -> None:
    assert verify([str(SAMPLE)]) == INTERNALLY_CONSISTENT


def test_one_byte_changed_in_the_sample_is_refused_and_the_block_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "changed.zip"
    block = one_byte_changed(SAMPLE, changed)
    assert verify([str(changed), "--trust", str(SAMPLE_PIN)]) == BROKEN
    assert f"BROKEN: files: {block}" in capsys.readouterr().out
