"""Which of cosmic-ray's mutants are tried: python -m tools.mutation.sample SESSION MOST [PATH…]

What is left out is marked as skipped in the session: what changes no answer (annotations,
docstrings, assertions, decorators of data classes and caches), operators that are not in
cosmic-ray.toml, and what is outside the sample.
"""

from __future__ import annotations

import ast
import random
import re
import sqlite3
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

NOT_IN_SAMPLE = "not in the sample"
NO_CHANGE = "changes no answer"
WHOLE = {
    "cds_service/core/quantities.py",
    *(f"hooks/{one}.py" for one in ("levels", "quinine_hazards", "renal")),
    *(f"hooks/rules/{one}.py" for one in ("potassium_ordered", "quinine")),
}
"""Never sampled: units, levels, renal function, and the orders that can kill."""
_SAME = re.compile(r"(dataclass|lru_cache|cache|total_ordering)\b")
_MADE = """
SELECT job_id, module_path, operator_name, start_pos_row, start_pos_col, end_pos_row, end_pos_col
FROM mutation_specs ORDER BY module_path, 4, 5, operator_name, occurrence
"""
_SKIP = "INSERT INTO work_results (job_id, output, worker_outcome) VALUES (?, ?, 'SKIPPED')"
Span = tuple[tuple[int, int], tuple[int, int]]


def spared(source: str) -> list[Span]:
    """Where a change says nothing: start and end as (line from 1, column)."""
    return [
        ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
        for parent in ast.walk(ast.parse(source))
        for node in _silent(parent)
    ]


def _silent(node: Any) -> Iterator[Any]:
    """The parts of a node whose change says nothing."""
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if docstring or isinstance(node, ast.Assert):
        yield node
    yield from (one for one in getattr(node, "decorator_list", ()) if _SAME.match(ast.unparse(one)))
    yield from filter(None, (getattr(node, name, None) for name in ("returns", "annotation")))


def left_out(path: str, places: Sequence[Span], paths: Sequence[str], most: int) -> dict[int, str]:
    """Which mutants of a module are left out, by their number in ``places``, and why.

    ``paths`` are tried whole and nothing else; without any, at most ``most`` of each module, the
    same ones for the same source.
    """
    spans = spared(Path(path).read_text(encoding="utf-8"))
    silent = {
        number
        for number, (start, end) in enumerate(places)
        if any(first <= start and end <= last for first, last in spans)
    }
    meant = [number for number in range(len(places)) if number not in silent]
    sample = meant if not paths or path in paths else []
    if not paths and len(meant) > most and path not in WHOLE:
        sample = random.Random(f"7 {path}").sample(meant, most)  # noqa: S311
    return dict.fromkeys(set(meant) - set(sample), NOT_IN_SAMPLE) | dict.fromkeys(silent, NO_CHANGE)


def main() -> None:
    """Mark what is left out, in one transaction."""
    session, most, *paths = sys.argv[1:]
    config = tomllib.loads(Path(__file__).with_name("cosmic-ray.toml").read_text(encoding="utf-8"))
    operators = re.compile(config["cosmic-ray"]["filters"]["sample"]["operators"])
    by_module: dict[str, list[tuple[str, Span]]] = defaultdict(list)
    skipped: dict[str, str] = {}
    with sqlite3.connect(session) as rows:
        for job, path, operator, *at in rows.execute(_MADE):
            if operators.fullmatch(operator):
                by_module[path].append((job, ((at[0], at[1]), (at[2], at[3]))))
            else:
                skipped[job] = NO_CHANGE
        for path, items in by_module.items():
            places = [span for _, span in items]
            for number, why in left_out(path, places, paths, int(most)).items():
                skipped[items[number][0]] = why
        rows.executemany(_SKIP, skipped.items())


if __name__ == "__main__":
    main()
