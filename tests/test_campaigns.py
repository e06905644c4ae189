from pathlib import Path

import pytest

from tests import campaigns, conftest
from tests.campaigns import Record, at_this_content, content, keep, most_run

pytest_plugins = ["pytester"]


def test_the_record_with_most_cases_stands_for_a_campaign() -> None:
    records = [Record("c", "flips", 20, 500), Record("c", "flips", 500, 500), Record("c", "flips", 30, 500)]
    assert most_run(records) == {"flips": records[1]}


def test_records_of_other_content_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "deeper" / "campaigns.jsonl"
    assert at_this_content(file) == {}
    keep(Record("an older commit", "flips", 500, 500), file)
    keep(Record(content(), "flips", 20, 500), file)
    assert at_this_content(file) == {"flips": Record(content(), "flips", 20, 500)}


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pytest run of its own, with this project's plugin and conftest, and campaign records of its own."""
    monkeypatch.setenv("CUSTODY_CAMPAIGNS", str(pytester.path / "campaigns.jsonl"))
    monkeypatch.setenv("CUSTODY_CONTENT", "the content of this test")
    for name in ("CI", "CUSTODY_FULL", "CUSTODY_GO_OUTCOME"):
        monkeypatch.delenv(name, raising=False)
    return pytester


def run(inner: pytest.Pytester) -> pytest.RunResult:
    return inner.runpytest_inprocess(plugins=[campaigns, conftest])


FLIPS = "def test_flips(campaign):\n    assert campaign('flips', sampled=20, full=500) != {bad}\n"


def test_a_full_campaign_runs_once_it_has_passed(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    inner.makepyfile(FLIPS.format(bad=None))
    run(inner).stdout.fnmatch_lines(["flips: 20 of 500", "*1 passed*"])
    monkeypatch.setenv("CUSTODY_FULL", "1")
    run(inner).stdout.fnmatch_lines(["flips: 500 of 500", "*1 passed*"])
    again = run(inner)
    again.assert_outcomes(skipped=1)
    assert {"flips: 500 of 500", "1 × flips: all 500 ran in full at this content"} <= set(again.outlines)


def test_a_campaign_that_failed_is_not_recorded(inner: pytest.Pytester) -> None:
    inner.makepyfile(FLIPS.format(bad=20))
    failed = run(inner)
    failed.assert_outcomes(failed=1)
    failed.stdout.no_fnmatch_line("flips: *")


def test_one_name_serves_one_test(inner: pytest.Pytester) -> None:
    inner.makepyfile(FLIPS.format(bad=None) + FLIPS.format(bad=None).replace("test_flips", "test_flops"))
    run(inner).stdout.fnmatch_lines(["*two tests run the campaign 'flips'*", "*1 failed, 1 passed*"])


@pytest.mark.parametrize(
    ("ci", "reason", "line"),
    [
        ("", "no database here", "*1 skipped*"),
        ("true", "no database here", "*skipped where CI must run it: no database here*"),
        ("true", "needs kubo", "*1 skipped*"),
    ],
)
@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import pytest\ndef test_it():\n    pytest.skip('{}')\n", id="in a test"),
        pytest.param("import pytest\npytest.skip('{}', allow_module_level=True)\n", id="of a module"),
    ],
)
def test_a_skip_fails_in_ci_unless_ci_cannot_run_it(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, reason: str, line: str, source: str
) -> None:
    monkeypatch.setenv("CI", ci)
    inner.makepyfile(source.format(reason))
    result = run(inner)
    result.stdout.fnmatch_lines([line])
    assert (result.ret in {0, 5}) == ("skipped*" in line)
