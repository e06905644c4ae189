import json

import pytest

from tests.go_tests import Outcome, events, follow


def said(action: str, test: str | None = None, output: str = "", package: str = "custody/x") -> str:
    event = {"Action": action, "Package": package, "Elapsed": 0.1}
    return json.dumps(event | ({"Test": test} if test else {}) | ({"Output": output} if output else {})) + "\n"


def outcome_of(lines: list[str]) -> Outcome:
    outcome = Outcome()
    follow(events(lines), outcome)
    return outcome


def test_tests_are_counted_and_a_package_is_not_one(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = outcome_of([said("pass", "TestA"), said("pass", "TestA/sub"), said("pass")])
    assert outcome == Outcome(passed=2)
    assert outcome.closing_line() == "go: 2 passed, 0 failed, 0 skipped"
    assert capsys.readouterr().out == "ok  custody/x  0.1s\n"


def test_what_a_failed_test_said_is_printed_and_what_others_said_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = [said("output", "TestA", "all is well\n"), said("pass", "TestA")]
    loud = [said("output", "TestB", "want 1, got 2\n"), said("fail", "TestB"), said("fail")]
    assert outcome_of(quiet + loud) == Outcome(passed=1, failed=["custody/x.TestB"])
    assert capsys.readouterr().out == "want 1, got 2\n"


def test_a_package_that_does_not_build_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    build = {"ImportPath": "custody/x", "Action": "build-output", "Output": "undefined: y\n"}
    lines = ["go: downloading something\n", json.dumps(build) + "\n", said("fail")]
    assert outcome_of(lines).failed == ["custody/x"]
    assert capsys.readouterr().out == "go: downloading something\nundefined: y\n"


SKIPPED = [
    said("output", "TestA", "=== RUN   TestA\n"),
    said("output", "TestA", "    a_test.go:9: needs kubo: set IPFS_BIN\n"),
    said("output", "TestA", "--- SKIP: TestA (0.00s)\n"),
    said("skip", "TestA"),
]


def test_a_skip_is_kept_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert outcome_of(SKIPPED) == Outcome(skipped={"custody/x.TestA": "needs kubo: set IPFS_BIN"})


def test_a_skip_of_what_ci_can_run_is_a_failure_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    lines = [line.replace("needs kubo", "not in the mood") for line in SKIPPED]
    assert outcome_of(lines).failed == ["custody/x.TestA"]
    monkeypatch.setenv("CI", "")
    assert outcome_of(lines).failed == []
