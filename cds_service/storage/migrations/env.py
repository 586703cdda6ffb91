"""Alembic's entry: runs the steps on the connection it is given, inside its transaction.

Steps only ever add (tables, nullable columns, indexes): during a rolling upgrade an
older program keeps working on the newer shape.
"""

from __future__ import annotations

from alembic import context

from cds_service.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite, too, changes shape inside a transaction here (Database begins it explicitly).
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
