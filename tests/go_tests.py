"""python -m tests.go_tests PACKAGES: runs Go's tests, prints what failed, keeps the outcome for pytest's summary."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.campaigns import ROOT, content, records_file
from tests.skips import refused

OUTCOME = ROOT / "build" / "go-tests.json"
RUN_GO = (sys.executable, str(ROOT / "setup" / "run_go.py"))


@dataclass
class Outcome:
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # test → reason

    def fail(self, test: str) -> None:
        """A package fails with its tests: it counts by itself where none of them did, as when it does not build."""
        if not any(failed.startswith(f"{test}.") for failed in self.failed):
            self.failed.append(test)

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


def events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("{"):
            yield json.loads(line)
        else:
            print(line, end="", flush=True)


def follow(events: Iterable[dict[str, Any]], outcome: Outcome) -> None:
    """Reads the events of `go test -json` and prints what a person wants to see of them."""
    output: dict[str, list[str]] = {}
    for event in events:
        test = ".".join(filter(None, (event.get("Package") or event.get("ImportPath"), event.get("Test"))))
        match event["Action"]:
            case "output" | "build-output":
                output.setdefault(test, []).append(event["Output"])
            case "fail" | "build-fail":
                print("".join(output.pop(test, [])), end="", flush=True)
                outcome.fail(test)
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


def can_detect_races() -> bool:
    """Go says itself whether it found a C compiler, which its race detector needs."""
    return subprocess.check_output([*RUN_GO, "env", "CGO_ENABLED"], text=True).strip() == "1"


def main(packages: list[str]) -> int:
    race = ["-race"] if can_detect_races() else []
    if not race:
        print("go: no C compiler here, so the race detector does not run")
    OUTCOME.parent.mkdir(parents=True, exist_ok=True)
    command = [*RUN_GO, "test", "-json", "-count=1", *race, *packages]
    outcome = Outcome()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT) as tests:
        follow(events(tests.stdout or ()), outcome)
    OUTCOME.write_text(json.dumps(asdict(outcome)))
    print(outcome.closing_line(), flush=True)
    return tests.returncode or bool(outcome.failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
