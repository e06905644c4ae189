"""What the parts of a gateway are given to work with; `app.py` alone puts it together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.bell import Bell
from gateway.blobs import Blobs
from gateway.database import Database
from gateway.ledger import Chain, Ledger
from gateway.projection import Projection
from gateway.tasks import Tasks
from gateway.weights import Weights
from sealed.keys import SealingKey, SigningKey


@dataclass(frozen=True, slots=True)
class System:
    ledger: Ledger
    chain: Chain  # as it was at the start: `kind` and `genesis` never change
    database: Database
    projection: Projection
    blobs: Blobs
    tasks: Tasks
    bell: Bell
    sealing: SealingKey  # opens what participants seal for the aggregator
    receipts: SigningKey  # signs what the gateway promises to participants
    now: Callable[[], int]  # seconds since 1970
    weights: Weights
    token_s: int
    pipeline_lease_s: int
    identity: str  # of this process, among those that share the database

    @property
    def ledger_name(self) -> dict[str, str]:
        """What every answer says of the ledger that spoke."""
        return {"kind": self.chain.kind, "genesis": self.chain.genesis}
