"""The ledger's door, as far as a validator needs it: it reads what is registered, and writes what it found."""

import time
from typing import Any

from fl_worker.client import Connection, Rejected, check
from sealed.records import Record, record_at, record_id

ASK_AGAIN_S = 0.5


class NotOnLedger(Rejected):
    """There is no such state."""


class Door:
    def __init__(self, connection: Connection, token: str) -> None:
        self._connection = connection
        self._token = token

    def genesis(self) -> str:
        return str(check(self._connection.ask("GET", "/chain", self._token)).json()["genesis"])

    def state(self, key: str) -> Record:
        response = self._connection.ask("GET", f"/state/{key}", self._token)
        if response.status_code == 404:
            raise NotOnLedger(f"{key} is not on the ledger")
        result: Record = check(response).json()["result"]
        return result

    def registered(self, key: str) -> Record:
        """The record that made this state."""
        return record_at(self.state(key), "record")

    def record_validation(self, validation: bytes) -> dict[str, Any]:
        """Asks again while the outcome is unknown: the same key finds the same transaction."""
        body = {"arguments": [validation.decode("ascii")]}
        headers = {"idempotency-key": record_id(validation)}
        while True:
            response = check(self._connection.ask("POST", "/model/validate", self._token, headers, json=body))
            if response.status_code != 202:
                answer: dict[str, Any] = response.json()
                return answer
            time.sleep(ASK_AGAIN_S)
