"""Campaigns: tests that try many cases, such as every bit of a file flipped.

    def test_no_flipped_bit_is_accepted(campaign: Campaign) -> None:
        for position in range(campaign("fldiff bit flips", sampled=200, full=5000)):
            ...

`make test` runs samples. With CUSTODY_FULL=1 a campaign runs in full, once: one that passed is skipped until the
sources change, so that an interrupted `make test-full` goes on where it was. Go tests do the same through
tests/campaign, in the same records.
"""

import hashlib
import json
import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = (
    *("chaincode", "custody", "fabric_network", "fl_worker", "gateway", "golden", "migrations", "sealed", "tests"),
    *("verifier", "go.mod", "go.sum", "pyproject.toml", "requirements"),
)
RAN_IN_FULL = "ran in full at this content"


@dataclass(frozen=True, slots=True)
class Record:
    content: str
    name: str
    ran: int
    full: int


class Campaign(Protocol):
    def __call__(self, name: str, *, sampled: int, full: int) -> int:
        """How many cases to run now."""


def records_file() -> Path:
    return Path(os.environ.get("CUSTODY_CAMPAIGNS", ROOT / "build" / "campaigns.jsonl"))


def source_files() -> Iterator[Path]:
    for source in map(ROOT.joinpath, SOURCES):
        files = [source] if source.is_file() else source.rglob("*")
        yield from sorted(file for file in files if file.is_file() and "__pycache__" not in file.parts)


def content() -> str:
    """Names what the tests run on, committed or not."""
    return os.environ.get("CUSTODY_CONTENT") or content_of_sources()


@cache
def content_of_sources() -> str:
    whole = hashlib.sha256()
    for file in source_files():
        whole.update(f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def in_full(environ: Mapping[str, str]) -> bool:
    return environ.get("CUSTODY_FULL") == "1"


def most_run(records: Iterable[Record]) -> dict[str, Record]:
    most: dict[str, Record] = {}
    for record in records:
        if record.name not in most or record.ran > most[record.name].ran:
            most[record.name] = record
    return most


def at_this_content(file: Path) -> dict[str, Record]:
    if not file.exists():
        return {}
    records = (Record(**json.loads(line)) for line in file.read_text().splitlines())
    return most_run(record for record in records if record.content == content())


def keep(record: Record, file: Path) -> None:
    """One short line by one write: Go tests append to the same file at the same time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as records:
        records.write(json.dumps(asdict(record)) + "\n")


STARTED = pytest.StashKey[list[Record]]()
OWNERS = pytest.StashKey[dict[str, str]]()


def own(config: pytest.Config, name: str, test: str) -> None:
    owner = config.stash.setdefault(OWNERS, {}).setdefault(name, test)
    if owner != test:
        raise pytest.UsageError(f"two tests run the campaign {name!r}: {owner} and {test}")


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Campaign:
    def cases(name: str, *, sampled: int, full: int) -> int:
        own(request.config, name, request.node.nodeid)
        earlier = at_this_content(records_file()).get(name)
        if in_full(os.environ) and earlier and earlier.ran >= full:
            pytest.skip(f"{name}: all {full} {RAN_IN_FULL}")
        ran = full if in_full(os.environ) else min(sampled, full)
        request.node.stash.setdefault(STARTED, []).append(Record(content(), name, ran, full))
        return ran

    return cases


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.passed:
        for record in item.stash.get(STARTED, []):
            keep(record, records_file())
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    records = sorted(at_this_content(records_file()).values(), key=lambda record: record.name)
    if records:
        terminalreporter.section("campaigns that passed at this content")
    for record in records:
        terminalreporter.line(f"{record.name}: {record.ran:,} of {record.full:,}")
