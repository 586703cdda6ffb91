"""What the command line prints: cards, traces and tables.

A terminal gets tables as wide as it is, with colours unless ``NO_COLOR`` is set; a pipe gets
plain text with one row per line. rich is imported only where something is printed.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_COLOURS = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_ANSWERS = {"fired": "green", "cannot tell": "yellow", "did not fire": "dim"}
_PLAIN_WIDTH = 96
"""Columns of running text in a pipe, which has no width."""


def console(*, error: bool = False) -> Console:
    """Standard output (or standard error) as a rich console."""
    from rich.console import Console

    terminal = Console(stderr=error, highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not terminal.is_terminal:
        terminal.width = _PLAIN_WIDTH
    return terminal


@contextmanager
def progress_indicator(doing: str, after_s: float = 2.0) -> Iterator[None]:
    """A progress indicator on a terminal, shown after ``after_s`` seconds.

    Nothing is written to a pipe, so that a script reads only an error's one line there.
    """
    out = console(error=True)
    if not out.is_terminal:
        yield
        return
    from threading import Timer

    waiting = out.status(f"{doing} …", spinner="line")
    timer = Timer(after_s, waiting.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        waiting.stop()


def print_cards(bodies: Sequence[Mapping[str, Any]]) -> None:
    """Print each card for a person to read, with an empty line between two."""
    out = console()
    for at, body in enumerate(bodies):
        if at:
            out.print()
        _card(out, body)


def _card(out: Console, body: Mapping[str, Any]) -> None:
    from rich.text import Text

    indicator, source = str(body["indicator"]), body["source"]
    out.print(
        Text.assemble((f"[{indicator}] ", _COLOURS[indicator]), (str(body["summary"]), "bold"))
    )
    for line in _indented(str(body["detail"]), out.width):
        out.print(line, soft_wrap=True)
    for suggestion in body.get("suggestions", ()):
        out.print(Text.assemble(("  → ", "green"), str(suggestion["label"])))
    out.print(Text(f"  {source['label']} · {source['topic']['code']}", "dim"))


def _indented(markdown: str, width: int) -> Iterable[Text]:
    from rich.text import Text

    for line in markdown.split("\n"):
        if not line.strip():
            continue
        heading = line.startswith("**") and line.endswith("**")
        hanging = "    " if line.startswith("- ") else "  "
        wrapped = textwrap.wrap(
            line.replace("**", ""),
            max(width, 40),
            initial_indent="  ",
            subsequent_indent=hanging,
            break_long_words=False,
        )
        yield from (Text(line, "bold" if heading else "") for line in wrapped)


def print_rules(listed: Sequence[Mapping[str, Any]], complaints: Sequence[str]) -> None:
    """Print the rules: on a terminal one table for each service, in a pipe one for all.

    ``complaints`` are the complaints for which there are rules of tier C.
    """
    states = {rule["id"]: str(rule["state"]) for rule in listed}
    if not console().is_terminal:
        print_table(
            "Rules",
            ["rule", "version", "tier", "state", "service", "title"],
            [
                [*(str(rule[key]) for key in ("id", "version", "tier")), states[rule["id"]],
                 str(rule["service"]), str(rule["title"])]
                for rule in listed
            ],
        )  # fmt: skip
        return
    for service in dict.fromkeys(str(rule["service"]) for rule in listed):
        own = [rule for rule in listed if rule["service"] == service]
        head = ["rule", "version", "tier", "state", "title"]
        rows = [
            [*(str(rule[key]) for key in ("id", "version", "tier")), states[rule["id"]],
             str(rule["title"])]
            for rule in own
        ]  # fmt: skip
        print_table(f"{service}: {len(own)} rules", head, rows, whole=head[:-1])
    if complaints:
        console().print(
            f"Tier A applies to all patients, C to those with {' or '.join(complaints)}.",
            style="dim",
        )


def print_trace(trace: Mapping[str, Any]) -> None:
    """Print a trace: the number of rules by outcome, each rule, and each problem once."""
    from rich.text import Text

    out = console()
    rules = trace["rules"]
    counted = Counter(rule["answer"] for rule in rules)
    out.print(
        Text(", ".join(f"{counted[word]} {word}" for word in _ANSWERS) + ".", "bold"),
    )
    for word, style in _ANSWERS.items():
        outcomes = [rule for rule in rules if rule["answer"] == word]
        if outcomes:
            out.print()
            out.print(Text(word, f"bold {style}"))
        for rule in outcomes:
            _rule(out, rule, style)
    problems = Counter(
        (problem["about"], problem["reason"], problem["reference"]) for problem in trace["problems"]
    )
    _print_problems(out, problems)
    out.print()
    out.print(Text("data", "bold"))
    for kind in trace["data"]:
        reason = f" ({kind['reason']})" if kind["reason"] else ""
        _hanging(out, 2, Text(f"{kind['kind']}: {kind['state']}{reason}"))


def _hanging(out: Console, indent: int, text: Text) -> None:
    """Print one line: wrapped with a hanging indent on a terminal, whole in a pipe."""
    from rich.text import Text

    if not out.is_terminal:
        out.print(Text(" " * indent) + text, soft_wrap=True)
        return
    for at, line in enumerate(text.wrap(out, max(out.width - indent - 2, 40))):
        line.rstrip()
        out.print(Text(" " * (indent + 2 * (at > 0))) + line)


def _rule(out: Console, rule: Mapping[str, Any], style: str) -> None:
    from rich.text import Text

    reasons = "; ".join(rule["because"])
    _hanging(out, 2, Text.assemble((f"{rule['rule']} {rule['version']}", style), f": {reasons}"))
    shown = rule["evidence"] if rule["answer"] == "fired" else ()
    for evidence in shown:
        _hanging(out, 6, Text(f"{evidence}"))
    if rule["notShown"]:
        _hanging(out, 6, Text(f"not shown: {rule['notShown']}", "yellow"))


def _print_problems(out: Console, problems: Mapping[tuple[str, str, str], int]) -> None:
    from rich.text import Text

    alike: dict[tuple[str, str], list[str]] = {}
    for about, reason, reference in problems:
        alike.setdefault((about, reason), []).append(reference)
    if alike:
        out.print()
        out.print(Text("problems", "bold yellow"))
    for (about, reason), references in alike.items():
        more = f" and {len(references) - 3} more" if len(references) > 3 else ""
        cited = ", ".join(references[:3])
        times = f" ×{len(references)}" if len(references) > 1 else ""
        _hanging(out, 2, Text(f"{about}: {reason}{times} ({cited}{more})"))


def print_table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    whole: Collection[str] = (),
) -> None:
    """Print a table: with a title and wrapped cells on a terminal, plain columns in a pipe.

    ``head`` are the column names, ``rows`` the cells of each row. ``whole`` names the columns
    that are never wrapped because a reader would copy from them.
    """
    out = console()
    if not out.is_terminal:
        out.print(_plain(head, rows), soft_wrap=True)
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold",
        pad_edge=False,
    )  # fmt: skip
    filled = [at for at in range(len(head)) if any(row[at] for row in rows)]
    head, rows = [head[at] for at in filled], [[row[at] for at in filled] for row in rows]
    for at, name in enumerate(head):
        number = all(_is_number(row[at]) for row in rows)
        # A column of numbers is as wide as its widest number or heading word.
        narrow = max(len(word) for word in (*name.split(), *(row[at] for row in rows)))
        table.add_column(
            textwrap.fill(name, narrow) if number else name,
            overflow="fold",
            no_wrap=number or name in whole,
            justify="right" if number and at else "left",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out.print(table)


def _is_number(cell: str) -> bool:
    return not cell or cell.replace(".", "", 1).isdigit()


def _plain(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    )


def print_steps(steps: Iterable[tuple[bool, str]]) -> None:
    """Print the steps of a check, each as "ok" or "refused"."""
    from rich.text import Text

    out = console()
    for ok, words in steps:
        word = ("ok      ", "green") if ok else ("refused ", "red")
        out.print(Text.assemble(word, words), soft_wrap=True)
