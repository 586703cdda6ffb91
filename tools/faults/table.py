"""docs/reliability.md: written by a run, row by row."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.faults.run import Row, Run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_ROW = re.compile(r"^\| `([a-z-]+)` \|.*$", re.MULTILINE)
_HEAD = """# Reliability: faults, with figures

<!-- The table is written by `python -m tools.faults --write`. -->

What was done to the service, what had to hold, and what was found. Every row is one command
on a real `cds-service serve` over loopback HTTP, and is repeated with

    make faults                                   # all rows, about 9 minutes on 2 cores
    make faults FAULTS_ARGS=--quick               # the same with smaller numbers, 3 minutes
    python -m tools.faults --only NAME              # one row
    python -m tools.faults --only NAME --write      # one row, and its line of this table

A run stops by itself, ends what it started, and exits with status 1 when a row fails. Load
comes from the same machine, so times include the cost of making it. "Others" are
well-formed calls of other clients at the same time; "lost" is a call without a whole answer.
"""
_TABLE = "| Row | What is done | What must hold | Result | Figures |\n|---|---|---|---|---|\n"
_TAIL = """
What the rows do not cover: more than one machine, a network that loses packets, a disk that
lies about writing, load beyond what two cores can send, and days rather than minutes.
"""


@dataclass(frozen=True)
class Found:
    """A row that was run: what it found, in how many seconds, on which day."""

    row: Row
    run: Run
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether all held."""
        return not self.run.failures

    def line(self) -> str:
        """The row's line of the table."""
        day = datetime.now(UTC).date().isoformat()
        result = "held" if self.passed else "**failed**: " + "; ".join(self.run.failures)
        scale = ", quick" if self.run.quick else ""
        figures = "; ".join(self.run.figures)
        cells = (f"`{self.row.name}`", self.row.what, self.row.holds,
                 f"{result} ({day}, {self.seconds:.0f} s{scale})", figures)  # fmt: skip
        return "| " + " | ".join(one.replace("|", "\\|").replace("\n", " ") for one in cells) + " |"


def write(found: Sequence[Found], names: Sequence[str], page: Path = PAGE) -> None:
    """Put the lines of ``found`` into the page, in the order of ``names``; keep the others."""
    lines = {}
    if page.exists():
        lines = {one[1]: one[0] for one in _ROW.finditer(page.read_text(encoding="utf-8"))}
    lines |= {one.row.name: one.line() for one in found}
    rows = "".join(f"{lines[name]}\n" for name in names if name in lines)
    page.write_text(f"{_HEAD}\n{_machine()}\n\n{_TABLE}{rows}{_TAIL}", encoding="utf-8")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"Machine: {len(os.sched_getaffinity(0))} cores ({platform.machine()}), "
        f"{memory:.0f} GiB of memory, {platform.system()}, Python {platform.python_version()}; "
        "other work went on there now and then during the run."
    )
