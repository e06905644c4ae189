import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.connection import UsageError
from custody.ledger_command import program
from tests.verifier.forge import Forge
from tests.verifier.real import RealLedger, serving
from tests.verifier.story import Story, a_short_life

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def ledger_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    try:
        return program()
    except UsageError:
        built = tmp_path_factory.mktemp("build") / "custody-ledger"
        subprocess.run(
            ["go", "build", "-o", built, "./fabric_network/rest/embedded/cmd/custody-ledger"], cwd=ROOT, check=True
        )
        return str(built)


@pytest.fixture
def real_ledger(ledger_program: str, tmp_path: Path) -> Iterator[RealLedger]:
    with serving(ledger_program, tmp_path / "ledger") as ledger:
        yield ledger


@pytest.fixture(scope="session")
def told() -> Story:
    """A short life, whole and good. Shared: whoever bends it takes a copy of its blocks."""
    story = Story(Forge())
    a_short_life(story)
    return story
