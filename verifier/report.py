"""What was checked, what was not and why, and the one verdict that follows."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import IntEnum, StrEnum
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


UNFINISHED = "not finished: something else is broken"


class Status(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    NOT_CHECKED = "NOT CHECKED"


class Verdict(IntEnum):
    """The exit code of `custody verify`."""

    VERIFIED = 0
    BROKEN = 1
    UNDECIDED = 2
    CONSISTENT = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is broken."""

    block: int | None = None
    tx: int | None = None
    key: str = ""
    file: str = ""

    def __str__(self) -> str:
        parts = (
            f"block {self.block}" if self.block is not None else "",
            f"tx {self.tx}" if self.tx is not None else "",
            self.key,
            self.file,
        )
        return ", ".join(part for part in parts if part)

    def within(self, outer: "Place") -> "Place":
        block, tx = (outer.block, outer.tx) if self.block is None else (self.block, self.tx)
        return Place(block, tx, self.key or outer.key, self.file or outer.file)


class Broken(Exception):
    """A check that does not hold."""

    def __init__(self, detail: str, place: Place | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.place = place


class CannotDecide(Exception):
    """This verifier has no answer, which is not the answer that something is broken."""


class Stop(Exception):
    """What follows rests on what has just broken."""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    status: Status
    entries: int
    detail: str
    place: Place | None = None


@dataclass(slots=True)
class Tally:
    """Counts what held, check by check, and keeps what did not. `names` are the checks there are, in order."""

    names: Sequence[str]
    held: dict[str, int] = field(default_factory=dict)
    broken: dict[str, Broken] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    undecided: bool = False

    @contextmanager
    def stage(self, *names: str) -> Iterator[None]:
        """Checks pass only when their stage came to its end: half a ledger proves nothing about the other half."""
        yield
        self.finished.update(names)

    def run(self, name: str, place: Place, check: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        result = self.attempt(name, place, check, *args, **kwargs)
        self.hold(name)
        return result

    def attempt(self, name: str, place: Place, check: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Part of a check: what breaks counts, what holds does not yet."""
        try:
            return check(*args, **kwargs)
        except Broken as broken:
            self.fail(name, broken.place.within(place) if broken.place else place, broken.detail)
            raise Stop from broken
        except ValueError as error:
            self.fail(name, place, f"{type(error).__name__}: {error}")
            raise Stop from error

    def hold(self, name: str, entries: int = 1) -> None:
        self.held[name] = self.held.get(name, 0) + entries

    def fail(self, name: str, place: Place, detail: str) -> None:
        self.broken.setdefault(name, Broken(detail, place))

    def skip(self, name: str, reason: str) -> None:
        self.skipped.setdefault(name, reason)

    def cannot(self, name: str, reason: str) -> None:
        """Asked for, and not to be had: unlike what nobody asked for, this leaves the whole without a verdict."""
        self.skip(name, reason)
        self.undecided = True

    def describe(self, name: str, detail: str) -> None:
        self.details[name] = detail

    def checks(self) -> list[Check]:
        return [self._check(name) for name in self.names]

    def _check(self, name: str) -> Check:
        entries = self.held.get(name, 0)
        if name in self.broken:
            return Check(name, Status.FAIL, entries, self.broken[name].detail, self.broken[name].place)
        if name in self.skipped:
            return Check(name, Status.NOT_CHECKED, entries, self.skipped[name])
        if name not in self.finished:
            return Check(name, Status.NOT_CHECKED, entries, UNFINISHED)
        if not entries:
            return Check(name, Status.NOT_CHECKED, 0, "nothing to check")
        return Check(name, Status.PASS, entries, self.details.get(name, ""))


@dataclass(frozen=True, slots=True)
class Report:
    subject: dict[str, str | int]
    checks: list[Check]
    verdict: Verdict
    sentence: str

    def text(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        about = "\n".join(f"{name:12} {value}" for name, value in self.subject.items())
        lines = [_line(check, width) for check in self.checks if check.detail != UNFINISHED]
        return "\n".join((about, "", *lines, *self._unfinished(width), "", self.sentence))

    def _unfinished(self, width: int) -> list[str]:
        """What was not come to is one line for people; a program finds each in the JSON."""
        names = ", ".join(check.name for check in self.checks if check.detail == UNFINISHED)
        return [f"{Status.NOT_CHECKED:11}  {'…':{width}}  {'':7}  {UNFINISHED}: {names}"] if names else []

    def json(self) -> str:
        document = {
            "schema": "report.1",
            "verdict": self.verdict.name.lower(),
            "exit": int(self.verdict),
            "sentence": self.sentence,
            "subject": self.subject,
            "checks": [asdict(check) for check in self.checks],
        }
        return json.dumps(document, indent=2)


def _line(check: Check, width: int) -> str:
    counted = f"{check.entries:,}" if check.entries else ""
    where = f"{check.place}: " if check.place and str(check.place) else ""
    return f"{check.status:11}  {check.name:{width}}  {counted:>7}  {where}{check.detail}".rstrip()
