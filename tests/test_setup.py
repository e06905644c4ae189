import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from environment import ROOT, Environment, Refused, digest, report
from install_torch import folders_with_torch, split_for_cpu, up_to_date
from run_go import version_asked, version_said

LOCKED = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27rc1 linux/amd64", (1, 27)),
        ("go version go1.25 X:nodwarf5 linux/arm64", (1, 25)),
        ("", ()),
    ],
)
def test_go_is_taken_at_its_word(said: str, version: tuple[int, ...]) -> None:
    assert version_said(said) == version


@pytest.mark.parametrize(
    ("said", "enough"), [("go1.24.9", False), ("go1.25", False), ("go1.25.0", True), ("go1.30.1", True), ("?", False)]
)
def test_go_is_new_enough_from_the_version_that_go_mod_asks_for(said: str, enough: bool) -> None:
    assert (version_said(said) >= version_asked("module custody\n\ngo 1.25.0\n")) == enough


def test_a_stamp_counts_only_while_the_environment_has_a_python(tmp_path: Path) -> None:
    environment = Environment(tmp_path, "make again")
    environment.stamps.mkdir()
    environment.set_stamp("packages", "abc")
    assert environment.stamp("packages") is None
    environment.python.parent.mkdir()
    environment.python.touch()
    assert environment.stamp("packages") == "abc"
    assert environment.stamp("torch") is None


def test_a_changed_requirement_changes_the_digest(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("x==1")
    second.write_text("y==1")
    before = digest(first, second)
    assert digest(second, first) != before
    second.write_text("y==2")
    assert digest(first, second) != before


@pytest.mark.parametrize(
    ("stamp", "source", "done"),
    [
        (None, None, False),
        ("pins\npinned", None, True),
        ("pins\nindex https://cpu", None, True),
        ("pins\nindex https://cpu", "index https://cpu", True),
        ("pins\npinned", "index https://cpu", False),
        ("older pins\npinned", None, False),
    ],
)
def test_torch_is_installed_anew_only_for_other_pins_or_another_source_by_name(
    stamp: str | None, source: str | None, done: bool
) -> None:
    assert up_to_date(stamp, "pins", source) == done


def test_a_cpu_only_install_leaves_out_what_gpus_need_and_keeps_every_hash_of_the_rest() -> None:
    text = (ROOT / "requirements" / "torch.txt").read_text()
    pinned, rest = split_for_cpu(text)
    assert [requirement.partition("==")[0] for requirement in pinned] == ["torch", "torchvision"]
    assert not re.search(r"^(nvidia|cuda|triton|torch)", rest, re.MULTILINE)
    assert {"numpy", "sympy"} <= set(re.findall(r"^([a-z0-9-]+)==", rest, re.MULTILINE))
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=\S)", rest.strip()))


def exits(code: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        python = folder / "python"
        python.write_text(f"#!/bin/sh\n{code}\n")
        python.chmod(0o755)
        return str(python)

    return make


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(lambda folder: str(folder / "absent"), "cannot be run: No such file", id="absent"),
        pytest.param(exits("echo No module named torch >&2; exit 1"), "No module named torch", id="no torch"),
        pytest.param(exits("""echo '{"version": "3.9"}'"""), "is Python 3.9; it must be 3.11", id="another Python"),
    ],
)
def test_a_python_without_a_fitting_torch_is_refused(make: Callable[[Path], str], told: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=told):
        folders_with_torch(make(tmp_path), "3.11")


def test_a_python_of_another_version_is_not_asked_for_its_torch() -> None:
    with pytest.raises(Refused, match=r"it must be 2\.7"):
        folders_with_torch(sys.executable, "2.7")


def test_large_downloads_are_told_and_small_ones_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    report(
        [
            "Collecting torch==2.15.0",
            "  Downloading torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (30 kB)",
            "Downloading torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl (539.1 MB)",
            "Using cached scikit_learn-1.9.1-cp311-cp311-manylinux_2_28_x86_64.whl (9.3 MB)",
            "Downloading idna-3.20-py3-none-any.whl (70 kB)",
            "Installing collected packages: torch",
        ]
    )
    assert capsys.readouterr().out == "  torch (539.1 MB)\n  scikit_learn (9.3 MB)\n  downloaded; installing\n"


@pytest.mark.parametrize("file", LOCKED, ids=lambda file: file.stem)
def test_a_locked_file_pins_every_package_by_hash_and_names_no_address(file: Path) -> None:
    text = file.read_text()
    assert "://" not in text
    assert "--index" not in text
    blocks = [block for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if block]
    assert blocks
    assert all(re.match(r"[a-z0-9-]+==\S+", block) and "--hash=sha256:" in block for block in blocks)


def test_locked_files_agree_with_each_other() -> None:
    pins = {pin for file in LOCKED for pin in re.findall(r"^([a-z0-9-]+)==(\S+)", file.read_text(), re.MULTILINE)}
    assert len({name for name, _ in pins}) == len(pins)
