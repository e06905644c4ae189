"""Which of several gateways on one database does something. Losing a lease while at it is harmless: every step is safe
to do twice."""

from __future__ import annotations

from gateway.database import Database, insert_new, table_of
from gateway.kept_db import Lease


def hold(database: Database, name: str, holder: str, now: int, lease_s: int) -> bool:
    """Take or renew; False while somebody else holds it."""
    if _is_fresh(database, name, holder, now + lease_s // 2):
        return True
    with database.writing() as session:
        mine = {"name": name, "holder": holder, "expires_at": now + lease_s}
        if insert_new(session, table_of(Lease), mine):
            return True
        row = session.get_one(Lease, name, with_for_update=True)
        if row.holder != holder and row.expires_at > now:
            return False
        row.holder, row.expires_at = holder, now + lease_s
        return True


def _is_fresh(database: Database, name: str, holder: str, until: int) -> bool:
    with database.reading() as session:
        row = session.get(Lease, name)
        return row is not None and row.holder == holder and row.expires_at > until


def give_up(database: Database, name: str, holder: str) -> None:
    with database.writing() as session:
        row = session.get(Lease, name)
        if row is not None and row.holder == holder:
            session.delete(row)
