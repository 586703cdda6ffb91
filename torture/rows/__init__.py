"""The rows of the table, in the order in which they run."""

from __future__ import annotations

from torture.rows.bodies import ROWS as BODIES
from torture.rows.database import ROWS as DATABASE
from torture.rows.mutants import ROWS as MUTANTS
from torture.rows.partners import ROWS as PARTNERS
from torture.rows.processes import ROWS as PROCESSES
from torture.rows.stopping import ROWS as STOPPING
from torture.rows.tokens import ROWS as TOKENS
from torture.run import Row

ROWS: tuple[Row, ...] = (
    *MUTANTS,
    *BODIES,
    *PARTNERS,
    *DATABASE,
    *PROCESSES,
    *STOPPING,
    *TOKENS,
)
