"""What a gateway is told by its environment; read once, in `app.py`, and handed on in parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20


class SettingWrong(Exception):
    """A setting is missing or cannot be read; the text names the variable."""


@dataclass(frozen=True, slots=True)
class Settings:
    ledger_url: str  # LEDGER_URL, the ledger's door
    ledger_token_file: Path  # LEDGER_TOKEN_FILE, the aggregator's bearer token
    blobs: str  # BLOBS, `folder:PATH`
    database_url: str  # DATABASE_URL, `sqlite:///PATH` or `postgresql+psycopg://…`
    keys: Path  # KEYS, folder with sealing.pem (X25519) and receipt.pem (Ed25519)
    keys_passphrase_file: Path | None  # KEYS_PASSPHRASE_FILE
    queue: str  # QUEUE, `database`
    host: str  # LISTEN, `HOST:PORT`
    port: int
    ledger_timeout_s: float  # LEDGER_TIMEOUT_S, how long the door may take to commit
    blob_limit_bytes: int  # BLOB_LIMIT_MIB, the largest blob taken in
    task_lease_s: int  # TASK_LEASE_S, when a fetched task is offered again
    token_s: int  # TOKEN_S, how long a participant's token serves
    pipeline_lease_s: int  # PIPELINE_LEASE_S, how long another gateway waits before it takes the rounds over


def from_environment(environment: Mapping[str, str]) -> Settings:
    host, port = _address(environment.get("LISTEN", "127.0.0.1:7090"))
    passphrase_file = environment.get("KEYS_PASSPHRASE_FILE")
    return Settings(
        ledger_url=_needed(environment, "LEDGER_URL"),
        ledger_token_file=Path(_needed(environment, "LEDGER_TOKEN_FILE")),
        blobs=_needed(environment, "BLOBS"),
        database_url=_needed(environment, "DATABASE_URL"),
        keys=Path(_needed(environment, "KEYS")),
        keys_passphrase_file=Path(passphrase_file) if passphrase_file else None,
        queue=environment.get("QUEUE", "database"),
        host=host,
        port=port,
        ledger_timeout_s=_number(environment, "LEDGER_TIMEOUT_S", 30),
        blob_limit_bytes=_number(environment, "BLOB_LIMIT_MIB", 2048) * MEBIBYTE,
        task_lease_s=_number(environment, "TASK_LEASE_S", 60),
        token_s=_number(environment, "TOKEN_S", 3600),
        pipeline_lease_s=_number(environment, "PIPELINE_LEASE_S", 5),
    )


def _needed(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name):
        return value
    raise SettingWrong(f"{name} is not set")


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name, str(default))
    if not value.isdecimal() or int(value) == 0:
        raise SettingWrong(f"{name} must be a whole number above zero, not {value!r}")
    return int(value)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingWrong(f"LISTEN must be HOST:PORT, not {text!r}")
    return host.strip("[]"), int(port)
