"""One thing that is wrong in a topic, and the words for what is wrong and how to correct it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from cds_service.engine.rule import Rule
    from cds_service.engine.topic import Knowledge


class Flaw(Struct, frozen=True):
    """One thing that is wrong in a topic.

    ``of`` names the entry ("limit sodium.low"; empty for the topic itself), ``what`` says what is
    wrong with it, without a full stop, and ``fix`` what to write where, in whole sentences.
    ``rule`` is the rule at fault; for other entries, ``key`` is the text to look for in ``files``
    (patterns relative to the package).
    """

    of: str
    what: str
    fix: str = ""
    rule: Rule | None = None
    key: str = ""
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.of}: {self.what}" if self.of else self.what


IN_PYTHON = ("**/*.py",)
IN_ANALYTES = ("knowledge/analytes.toml", *IN_PYTHON)
IN_LIMITS = ("knowledge/limits.toml", *IN_PYTHON)
IN_REFERENCES = ("knowledge/references.toml", *IN_PYTHON)
IN_ORDERS = ("knowledge/orders.toml", *IN_ANALYTES)

Found = Iterator[tuple[str, str]]
"""Pairs of what is wrong and how to correct it."""


def unknown(kind: str, key: str) -> str:
    """What is wrong where an entry of a kind does not exist."""
    return f"{kind} {key} is not in the {kind}s"


def reference_fix(key: str, folder: str) -> str:
    """Where to add a reference."""
    return f"Add to {folder}/references.toml: [{key}] with label, citation and kind."


def order_fix(key: str, known: Knowledge, folder: str) -> str:
    """Where to add an order: the test of an analyte belongs to the analyte's block."""
    if key in known.analytes:
        name = known.analytes[key].name
        return f'Add to [{key}] in {folder}/analytes.toml: order = "{name}".'
    return f"Add to {folder}/orders.toml: [{key}] with label, covers and codes."


def is_day(text: str) -> bool:
    """Whether a text is a day like 2026-11-27."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
