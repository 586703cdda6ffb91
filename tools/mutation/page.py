"""docs/mutation.md: written from cosmic-ray's session and the reasons of survivors.toml."""

from __future__ import annotations

import sqlite3
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment

from tools.mutation.sample import NOT_IN_SAMPLE
from tools.mutation.verdict import REFUSED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mutation.md"
FATES = ("killed", "timed out", "refused", "survived")
NOT_TRIED = "not tried"
_READ = """
SELECT module_path, start_pos_row, replace(replace(operator_name, 'core/', ''), 'rules/', ''),
  worker_outcome, test_outcome, output, diff
FROM mutation_specs JOIN work_results USING (job_id)
WHERE worker_outcome != 'SKIPPED' OR output = ?
ORDER BY module_path, start_pos_row, operator_name, occurrence
"""


@dataclass(frozen=True)
class Mutant:
    """One mutant and its fate; ``was`` and ``now`` are the changed lines.

    ``reason``: why it may survive; empty: nobody has said.
    """

    path: str
    line: int
    operator: str
    was: str
    now: str
    fate: str
    reason: str = ""


def read(session: Path) -> list[Mutant]:
    """The mutants of a finished session. Raises RuntimeError where a worker broke down."""
    known = reasons()
    with sqlite3.connect(session) as rows:
        return [
            Mutant(path, line, name, *lines, _fate(*outcome), known.get((path, *lines), ""))
            for path, line, name, *outcome, diff in rows.execute(_READ, [NOT_IN_SAMPLE])
            for lines in [changed(diff or "")]
        ]


def _fate(worker: str, test: str | None, output: str | None) -> str:
    said = output or ""
    if worker == "SKIPPED":
        return NOT_TRIED
    if worker != "NORMAL":
        raise RuntimeError(f"a worker of cosmic-ray broke down: {said[-500:]}")
    if test == "SURVIVED":
        return "survived"
    return "timed out" if said == "timeout" else "refused" if said.startswith(REFUSED) else "killed"


def changed(diff: str) -> tuple[str, str]:
    """The changed lines of a unified diff before and after, each as one line."""
    lines = [one for one in diff.split("\n") if one[:3] not in ("---", "+++", "@@ ")]
    at = [number for number, line in enumerate(lines) if line[:1] in ("-", "+")] or [0]
    block = lines[at[0] : at[-1] + 1]
    old, new = ([line[1:] for line in block if line[:1] != sign] for sign in ("+", "-"))
    return " ".join(" ".join(old).split()), " ".join(" ".join(new).split())


def reasons() -> Mapping[tuple[str, str, str], str]:
    """Why a survivor may live, by module, old and new line."""
    return {
        (group["module"], was, now): group["because"]
        for group in tomllib.loads(_beside("survivors.toml"))["group"]
        for was, now in group["mutants"]
    }


def _beside(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def unexplained(mutants: Iterable[Mutant]) -> list[Mutant]:
    """Survivors without a reason."""
    return [one for one in mutants if one.fate == "survived" and not one.reason]


def write(mutants: Sequence[Mutant], day: str = "", tool: str = "") -> None:
    """The whole page; ``tool`` is the version of cosmic-ray, ``day`` today."""
    modules = groupby(mutants, lambda one: f"`{one.path}`")
    counts = {path: _counted(list(ones)) for path, ones in modules}
    # The page is Markdown: nothing is to be escaped.
    template = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)  # noqa: S701
    page = template.from_string(_beside("page.md")).render(
        day=day or datetime.now(UTC).date().isoformat(),
        version=tool or version("cosmic-ray"),
        all=(total := _counted(mutants)),
        counts=counts | {"**all**": total},
        fates=FATES,
        survivors=[one for one in mutants if one.fate == "survived"],
        unexplained=len(unexplained(mutants)),
    )
    PAGE.write_text(page, encoding="utf-8")


def _counted(mutants: Sequence[Mutant]) -> dict[str, Any]:
    """How many of each fate; the score is of those that ran, and is never rounded up to 100."""
    found = Counter(one.fate for one in mutants)
    killed = found["killed"] + found["timed out"]
    ran = killed + found["survived"]
    score = f"{1000 * killed // ran / 10:.1f} %" if ran else "-"
    tried = len(mutants) - found[NOT_TRIED]
    return {"made": len(mutants), "tried": tried, "dead": killed, "score": score, "fates": found}
