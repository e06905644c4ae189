"""The real ledger, store and database of a gateway, which lose power at a chosen moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from gateway.blobs import Blobs
from gateway.system import System


class PowerCut(BaseException):
    """Nothing may catch this, as nothing can catch the real one."""


@dataclass
class Power:
    """Counts the moments before and after everything that lasts, and goes out at one of them."""

    left: int
    cut_at: str = ""

    def moment(self, name: str) -> None:
        if self.left == 0:
            self.cut_at = name
            raise PowerCut
        self.left -= 1


def powered(system: System, power: Power) -> System:
    parts: dict[str, Any] = {
        "ledger": Cuttable(system.ledger, power, ("submit",)),
        "blobs": Cuttable(system.blobs, power, ("put", "pin")),
        "tasks": Cuttable(system.tasks, power, ("offer", "end")),
        "database": CuttableDatabase(system.database, power),
    }
    return replace(system, **parts)


class Cuttable:
    def __init__(self, real: Any, power: Power, lasting: tuple[str, ...]) -> None:
        self._real = real
        self._power = power
        self._lasting = lasting

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return self._cut(found, name) if name in self._lasting else found

    def _cut(self, act: Any, name: str) -> Any:
        def between(*arguments: Any, **named: Any) -> Any:
            told = f"{name} {arguments[0]}" if name == "submit" else name
            self._power.moment(f"before {told}")
            done = act(*arguments, **named)
            self._power.moment(f"after {told}")
            return done

        return between


class CuttableDatabase:
    def __init__(self, real: Any, power: Power) -> None:
        self._real = real
        self._power = power

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._real.reading() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        self._power.moment("before a transaction")
        with self._real.writing() as session:
            yield session
            self._power.moment("before a commit")
        self._power.moment("after a commit")


class LosesWrites:
    """A store that says yes and forgets: what reading back is for."""

    def __init__(self, real: Blobs) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def put(self, *_: object) -> bool:
        return True

    def pin(self, sha256: str) -> None: ...
