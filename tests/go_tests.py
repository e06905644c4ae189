"""python -m tests.go_tests PACKAGES: runs Go's tests, prints what failed, keeps the outcome for pytest's summary."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.campaigns import ROOT, content, records_file
from tests.skips import refused

OUTCOME = ROOT / "build" / "go-tests.json"
RUN_GO = (sys.executable, str(ROOT / "setup" / "run_go.py"))


@dataclass
class Outcome:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # test → reason

    def skip(self, test: str, reason: str) -> None:
        if refused(reason):
            print(f"{test} skipped where CI must run it: {reason}")
            self.failed.append(test)
        else:
            self.skipped[test] = reason

    def closing_line(self) -> str:
        return f"go: {self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def reason_in(output: list[str]) -> str:
    """What t.Skip was given: the last line that is not the test runner's own."""
    said = [line.strip() for line in output if not line.lstrip().startswith(("===", "---"))]
    return said[-1].partition(": ")[2] or said[-1] if said else "no reason given"


def follow(events: Iterable[dict[str, str]], outcome: Outcome) -> None:
    """Reads the events of `go test -json` and prints what a person wants to see of them."""
    output: dict[str, list[str]] = {}
    for event in events:
        test = ".".join(filter(None, (event.get("Package") or event.get("ImportPath"), event.get("Test"))))
        match event["Action"]:
            case "output" | "build-output":
                output.setdefault(test, []).append(event["Output"])
            case "fail" | "build-fail":
                print("".join(output.pop(test, [])), end="", flush=True)
                outcome.failed.append(test)
            case "pass" if "Test" in event:
                outcome.passed += 1
                output.pop(test, None)
            case "skip" if "Test" in event:
                outcome.skip(test, reason_in(output.pop(test, [])))
            case "pass":
                print(f"ok  {test}  {event['Elapsed']}s", flush=True)


def read_outcome(file: Path) -> Outcome:
    return Outcome(**json.loads(file.read_text()))


def environment() -> dict[str, str]:
    return {**os.environ, "CUSTODY_CAMPAIGNS": str(records_file()), "CUSTODY_CONTENT": content()}


def has_c_compiler() -> bool:
    return any(map(shutil.which, (os.environ.get("CC", "cc"), "gcc", "clang")))


def main(packages: list[str]) -> int:
    race = ["-race"] if has_c_compiler() else []
    if not race:
        print("go: no C compiler here, so the race detector does not run")
    OUTCOME.parent.mkdir(parents=True, exist_ok=True)
    command = [*RUN_GO, "test", "-json", "-count=1", *race, *packages]
    outcome = Outcome()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT) as tests:
        follow(map(json.loads, tests.stdout or ()), outcome)
    OUTCOME.write_text(json.dumps(asdict(outcome)))
    print(outcome.closing_line(), flush=True)
    return tests.returncode or bool(outcome.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
