"""Sections, tables and numbers of the report, as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any


def section(title: str, content: str) -> str:
    """A section with its heading; ``content`` is HTML."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Iterable[int] = ()) -> str:
    """A table of texts; ``numbers`` are the columns that are aligned to the right."""
    if not rows:
        return '<p class="soft">None.</p>'
    right = frozenset(numbers)

    def cells(tag: str, row: Sequence[Any]) -> str:
        return "".join(
            f"<{tag}{' class=n' if place in right else ''}>{escape(str(cell))}</{tag}>"
            for place, cell in enumerate(row)
        )

    lines = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{cells("th", header)}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def number(value: float | None) -> str:
    """A number with separators; a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}"


def percent(part: int, of: int) -> str:
    """A share in per cent; a dash where there is nothing to count."""
    return f"{100 * part / of:.1f} %" if of else "–"
