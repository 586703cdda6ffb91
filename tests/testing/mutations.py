"""How many mutated requests a test tries when it compares a fast path with the careful one."""

from __future__ import annotations

import os

MUTATIONS = int(os.environ.get("CDS_MUTATIONS", "3000"))
"""A few seconds' worth; ``CDS_MUTATIONS=20000`` for the full count."""
