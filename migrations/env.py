"""Alembic runs this. The connection comes from `gateway.database`; `python -m alembic` is not the way in."""

from alembic import context

from gateway import kept_db, lineage_db
from gateway.database import Base

TABLES = (kept_db, lineage_db)  # importing them is what fills the metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
