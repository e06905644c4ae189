import subprocess
import sys
from pathlib import Path

import pytest

from custody.__main__ import EXTRAS, SUBCOMMANDS, main, usage


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A subcommand `made-up` whose module has the source that the test is parametrized with."""
    module = f"made_up_part_{abs(hash(request.node.nodeid))}"
    (tmp_path / f"{module}.py").write_text(request.param)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(SUBCOMMANDS, "made-up", (module, "a subcommand of a test"))
    monkeypatch.setitem(EXTRAS, module, "gateway")
    return module


@pytest.mark.parametrize(
    "made_up", ["def main(argv: list[str]) -> int:\n    print(argv)\n    return len(argv)\n"], indirect=True
)
@pytest.mark.usefixtures("made_up")
def test_a_subcommand_gets_the_rest_of_the_line_and_gives_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["made-up", "--help", "x", "y"]) == 3
    assert capsys.readouterr().out == "['--help', 'x', 'y']\n"


@pytest.mark.parametrize(
    ("made_up", "library", "extra"),
    [
        pytest.param("import no_such_library.deeper\n", "no_such_library", "gateway", id="at once"),
        pytest.param("def main(argv): import no_such_library\n", "no_such_library", "gateway", id="when used"),
        pytest.param("raise ModuleNotFoundError(name='torch.nn')\n", "torch", "worker", id="torch"),
    ],
    indirect=["made_up"],
)
@pytest.mark.usefixtures("made_up")
def test_a_missing_library_names_the_extra_that_brings_it(
    library: str, extra: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["made-up"]) == 2
    said = capsys.readouterr().err
    assert f"{library} is not installed" in said
    assert f"pip install 'custody[{extra}]'" in said


@pytest.mark.parametrize(
    "made_up",
    [
        pytest.param("import custody.no_such_module\n", id="missing"),
        pytest.param("import os\nos.no_such_name\n", id="broken"),
    ],
    indirect=True,
)
@pytest.mark.usefixtures("made_up")
def test_a_defect_of_custody_itself_is_not_blamed_on_an_extra() -> None:
    with pytest.raises((ModuleNotFoundError, AttributeError)):
        main(["made-up"])


@pytest.mark.parametrize("line", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_subcommand_on_one_screen(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == 0
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in SUBCOMMANDS)
    assert len(usage().splitlines()) <= 24
    assert max(map(len, usage().splitlines())) <= 100


@pytest.mark.parametrize(("name", "hint"), [("rolback", "custody rollback"), ("zzzz", "custody --help")])
def test_an_unknown_subcommand_gets_a_suggestion(name: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 2
    assert hint in capsys.readouterr().err


def test_starting_loads_no_library_and_no_part() -> None:
    code = "import sys; from custody.__main__ import main; main([]); print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).splitlines()[-1].split()
    tops = {name.partition(".")[0] for name in loaded}
    assert not tops & {"gateway", "fl_worker", "verifier", "sealed", "numpy", "torch", "fastapi", "httpx2"}
    assert len(loaded) < 120
