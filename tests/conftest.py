import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.campaigns import in_full
from tests.go_tests import read_outcome
from tests.skips import refused

# No deadline: how long an example takes says more about the machine's other work than about the code.
settings.register_profile("sampled", deadline=None, max_examples=50, print_blob=True)
settings.register_profile("full", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("full" if in_full(os.environ) else "sampled")


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    where_and_why = report.longrepr
    text = where_and_why[2] if isinstance(where_and_why, tuple) else str(where_and_why)
    return text.removeprefix("Skipped: ")


def refuse_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and refused(reason_of(report)):
        report.outcome = "failed"
        report.longrepr = f"skipped where CI must run it: {reason_of(report)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip_in_ci(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(reason_of(report) for report in terminalreporter.stats.get("skipped", []))
    go = os.environ.get("CUSTODY_GO_OUTCOME")
    reasons.update(read_outcome(Path(go)).skipped.values() if go else ())
    if reasons:
        terminalreporter.section("not run, and why")
    for reason, count in sorted(reasons.items()):
        terminalreporter.line(f"{count} × {reason}")
