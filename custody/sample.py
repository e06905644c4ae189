"""custody sample: make docs/sample.zip, a small real bundle to show verification on before torch is installed.

Its auditor's key is published beside it, so that everyone can open its updates and recompute its versions.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from custody import demo
from custody.connection import UsageError, run
from custody.consortium import Consortium
from custody.processes import ProcessFailed

ROUNDS = 3


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("custody sample", description=__doc__)
    parser.add_argument("--out", type=Path, default=demo.SAMPLE.parent, metavar="DIR")
    return run(lambda: _make(parser.parse_args(argv).out))


def _make(out: Path) -> int:
    with tempfile.TemporaryDirectory() as folder:
        consortium = Consortium(Path(folder))
        try:
            with consortium.running():
                demo.set_up(consortium)
                demo.train(consortium, ROUNDS)
                demo.roll_back(consortium)
                consortium.pin_head(consortium.root / demo.SAMPLE_PIN.name)
                consortium.export(consortium.root / demo.SAMPLE.name)
        except ProcessFailed as error:
            raise UsageError(str(error)) from error
        shutil.copy(consortium.root / demo.SAMPLE.name, out / demo.SAMPLE.name)
        shutil.copy(consortium.root / demo.SAMPLE_PIN.name, out / demo.SAMPLE_PIN.name)
        shutil.copy(consortium.auditor_key, out / demo.SAMPLE_KEY.name)
    print(f"{out / demo.SAMPLE.name}, its pinned head and its auditor's key are written")
    return 0
