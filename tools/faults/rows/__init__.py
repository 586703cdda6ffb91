"""The rows of the table, in the order in which they run."""

from __future__ import annotations

from tools.faults.rows.bodies import ROWS as BODIES
from tools.faults.rows.database import ROWS as DATABASE
from tools.faults.rows.mutants import ROWS as MUTANTS
from tools.faults.rows.partners import ROWS as PARTNERS
from tools.faults.rows.processes import ROWS as PROCESSES
from tools.faults.rows.stopping import ROWS as STOPPING
from tools.faults.rows.tokens import ROWS as TOKENS
from tools.faults.run import Row

ROWS: tuple[Row, ...] = (
    *MUTANTS,
    *BODIES,
    *PARTNERS,
    *DATABASE,
    *PROCESSES,
    *STOPPING,
    *TOKENS,
)
