"""A person who acts on the ledger: a P-256 key that never leaves this machine, and a certificate for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sealed.keys import PersonKey


@dataclass(frozen=True, slots=True)
class Person:
    key: PersonKey
    certificate: str  # PEM

    @classmethod
    def load(cls, key_file: Path, passphrase: str | None = None) -> Person:
        """Read `alice.pem` and, next to it, `alice.crt`."""
        return cls(PersonKey.load(key_file, passphrase), certificate_file(key_file).read_text("ascii"))

    def save(self, key_file: Path, passphrase: str | None = None) -> None:
        self.key.save(key_file, passphrase)
        certificate_file(key_file).write_text(self.certificate, "ascii")


def certificate_file(key_file: Path) -> Path:
    return key_file.with_suffix(".crt")
