"""What the command line prints: cards, traces and tables, with colour on a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Timer
from typing import Any

import click

_COLOURS = {"critical": "red", "warning": "yellow", "info": "cyan"}
_ANSWERS = {"fired": "green", "did not fire": "white", "cannot tell": "yellow"}
_WIDTH = 96


@contextmanager
def patience(doing: str, after_s: float = 1.0) -> Iterator[None]:
    """Tells whoever waits at a terminal what is being done, where it takes longer than a second.

    Scripts that read standard error find an error's one line there, on slow machines too.
    """
    if not sys.stderr.isatty():
        yield
        return
    timer = Timer(after_s, lambda: click.echo(f"{doing} …", err=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def card(body: Mapping[str, Any]) -> str:
    """One card as a person reads it."""
    indicator = str(body["indicator"])
    source = body["source"]
    lines = [
        click.style(f"[{indicator}] ", fg=_COLOURS[indicator], bold=True)
        + click.style(str(body["summary"]), bold=True),
        *_indented(str(body["detail"])),
    ]
    for suggestion in body.get("suggestions", ()):
        lines.append("  " + click.style("→ ", fg="green") + str(suggestion["label"]))
    lines.append(click.style(f"  {source['label']} · {source['topic']['code']}", dim=True))
    return "\n".join(lines)


def _indented(markdown: str) -> Iterable[str]:
    for line in markdown.replace("**", "").split("\n"):
        if not line.strip():
            continue
        hanging = "    " if line.startswith("- ") else "  "
        yield from textwrap.wrap(
            line, _WIDTH, initial_indent="  ", subsequent_indent=hanging, break_long_words=False
        )


def answer(rule: str, version: str, word: str, because: Sequence[str], left_out: str) -> str:
    """One line of a trace, and the reasons under it."""
    head = f"{click.style(f'{word:<12}', fg=_ANSWERS[word])} {rule} {version}"
    lines = [head, *(f"{'':13}{reason}" for reason in because)]
    if left_out:
        lines.append(f"{'':13}not shown: {left_out}")
    return "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))

    return "\n".join(
        [click.style(line(head).rstrip(), bold=True), *(line(row).rstrip() for row in rows)]
    )
