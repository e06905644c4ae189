import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.connection import UsageError
from custody.ledger_command import program
from tests.verifier.real import RealLedger, serving

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


@pytest.fixture(scope="module")
def real_ledger(ledger_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLedger]:
    with serving(ledger_program, tmp_path_factory.mktemp("real") / "ledger") as ledger:
        yield ledger
