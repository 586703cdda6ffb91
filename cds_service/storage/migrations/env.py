"""Alembic's entry point: runs the migrations on the given connection, inside its transaction.

Migrations only add (tables, nullable columns, indexes): during a rolling upgrade an older
program continues to work with the newer schema.
"""

from __future__ import annotations

from alembic import context

from cds_service.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # On SQLite, too, the schema changes inside a transaction (Database begins it explicitly).
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
