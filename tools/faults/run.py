"""One row of the table: what it is given, what it finds."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.faults.service import Service

CARDS = "SELECT card FROM feedback UNION SELECT card FROM unknown_feedback"


@dataclass
class Run:
    """What a row is given: a folder of its own, how much to do, and where to say what it found."""

    folder: Path
    quick: bool = False
    seed: int = 20_260_101
    say: Callable[[str], None] = print
    figures: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def many(self, full: int, quick: int) -> int:
        """How many: all, or the quick number."""
        return quick if self.quick else full

    def figure(self, text: str) -> None:
        """Note a measurement for the table."""
        self.figures.append(text)
        self.say(f"    {text}")

    def must(self, holds: object, failed: str) -> None:
        """Note ``failed`` unless it holds."""
        if not holds:
            self.failures.append(failed)
            self.say(f"    FAILED: {failed}")

    def must_be_clean(self, service: Service) -> None:
        """No unforeseen error may be in the log of the service."""
        faults = service.faults()
        self.must(not faults, f"{len(faults)} unforeseen errors in the log: {faults[:1]}")


@dataclass(frozen=True)
class Row:
    """A row of the table. ``what`` is done to the service, and ``holds`` is what must hold."""

    name: str
    what: str
    holds: str
    work: Callable[[Run], None]


def stored_cards(folder: Path) -> set[str]:
    """The cards whose feedback is in the SQLite file of a service in ``folder``."""
    with sqlite3.connect(folder / "records.db", timeout=20) as kept:
        found = {str(card) for (card,) in kept.execute(CARDS)}
    kept.close()
    return found


def pause(seconds: float) -> None:
    """Let the load go on for so long."""
    time.sleep(seconds)
