"""The rows of the table, in the order in which they run."""

from __future__ import annotations

from torture.rows import bodies, database, mutants, partners, processes, stopping, tokens
from torture.run import Row

ROWS: tuple[Row, ...] = (
    *mutants.ROWS,
    *bodies.ROWS,
    *partners.ROWS,
    *database.ROWS,
    *processes.ROWS,
    *stopping.ROWS,
    *tokens.ROWS,
)
