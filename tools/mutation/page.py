"""docs/mutation.md: written by a run; the reasons of survivors come from survivors.toml."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from tools.mutation.trying import ROOT, Fate

PAGE = ROOT / "docs" / "mutation.md"
REASONS = Path(__file__).with_name("survivors.toml")
LAST = ROOT / ".mutation" / "last.json"


@dataclass(frozen=True)
class Tried:
    """One mutant and what became of it."""

    path: str
    line: int
    operator: str
    was: str
    now: str
    fate: Fate


@dataclass(frozen=True)
class Run:
    """One run: what was tried, how many mutants each module has, when, with what, how long.

    ``resumed`` of the tried ones were killed by an earlier run.
    """

    tried: Sequence[Tried]
    made: Mapping[str, int]
    day: str
    version: str
    minutes: int
    resumed: int

    def save(self) -> None:
        """Keep it for `last`."""
        LAST.parent.mkdir(exist_ok=True)
        LAST.write_text(json.dumps(asdict(self)), encoding="utf-8")


def last() -> Run:
    """The last whole run, as it was saved. Raises OSError where there was none."""
    kept = json.loads(LAST.read_text(encoding="utf-8"))
    tried = [Tried(**{**one, "fate": Fate(one["fate"])}) for one in kept["tried"]]
    return Run(**{**kept, "tried": tried})


@cache
def reasons() -> Mapping[tuple[str, str, str], str]:
    """Why a survivor may live, by module, old and new line."""
    content = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    return {
        (group["module"], was, now): group["because"]
        for group in content.get("group", [])
        for was, now in group["mutants"]
    }


def reason(one: Tried) -> str:
    """Why this survivor may live; empty: nobody has said."""
    return reasons().get((one.path, one.was, one.now), "")


def unexplained(tried: Sequence[Tried]) -> list[Tried]:
    """Survivors without a reason."""
    return [one for one in tried if one.fate is Fate.SURVIVED and not reason(one)]


def write(run: Run) -> None:
    """The whole page."""
    survivors = [one for one in run.tried if one.fate is Fate.SURVIVED]
    rows = [_row(path, [one for one in run.tried if one.path == path], run) for path in run.made]
    total = _cells("**all**", run.tried, sum(run.made.values()))
    head = _HEAD.format(
        day=run.day,
        version=run.version,
        took=_took(run),
        tried=f"{len(run.tried):,}",
        made=f"{sum(run.made.values()):,}",
        score=_score(run.tried),
        killed=f"{_count(run.tried, Fate.KILLED) + _count(run.tried, Fate.TIMED_OUT):,}",
        survived=len(survivors),
        unexplained=len(unexplained(run.tried)),
    )
    table = "\n".join([_COLUMNS, *rows, total])
    PAGE.write_text(f"{head}\n{table}\n\n{_survivors(survivors)}", encoding="utf-8")


def _took(run: Run) -> str:
    if not run.resumed:
        return f"The run took {run.minutes} minutes."
    return (
        f"The run took {run.minutes} minutes; {run.resumed:,} mutants had been killed, or refused, "
        "in earlier runs with\nfewer tests, and were taken over (`--resume`)."
    )


def _count(tried: Iterable[Tried], fate: Fate) -> int:
    return sum(one.fate is fate for one in tried)


def _score(tried: Sequence[Tried]) -> str:
    """Killed or timed out, of those that could be run at all; never rounded up to 100."""
    ran = len(tried) - _count(tried, Fate.REFUSED)
    if not ran:
        return "-"
    share = 1000 * (ran - _count(tried, Fate.SURVIVED)) // ran
    return f"{share / 10:.1f} %"


def _row(path: str, tried: Sequence[Tried], run: Run) -> str:
    return _cells(f"`{path}`", tried, run.made[path])


def _cells(name: str, tried: Sequence[Tried], made: int) -> str:
    counts = [made, len(tried), *(_count(tried, fate) for fate in Fate)]
    return f"| {name} | {' | '.join(map(str, counts))} | {_score(tried)} |"


def _survivors(survivors: Sequence[Tried]) -> str:
    parts = ["## Survivors\n"]
    for path in dict.fromkeys(one.path for one in survivors):
        parts.append(f"### `{path}`\n")
        by_reason: dict[str, list[Tried]] = {}
        for one in survivors:
            if one.path == path:
                by_reason.setdefault(reason(one) or "**unexplained**", []).append(one)
        for because, mutants in by_reason.items():
            parts.append(f"{because}\n")
            parts.extend(
                f"- line {one.line}, {one.operator}: {_code(one.was)} → {_code(one.now)}"
                for one in mutants
            )
            parts.append("")
    return "\n".join(parts)


def _code(line: str) -> str:
    return "`" + line.replace("`", "'") + "`" if line else "(left out)"


_COLUMNS = f"""| module | mutants | tried | {" | ".join(fate.value for fate in Fate)} | score |
|---|{"---:|" * (3 + len(Fate))}"""
_HEAD = """# Mutation testing: rules and units

<!-- Written by `make mutants`; the reasons of survivors stand in tools/mutation/survivors.toml. -->

A mutant is the program with one small change: another limit, `<` for `<=`, a condition turned
round, an operand, an argument or a statement left out, another concept, another level. Tests
that are worth their name fail for it. Repeat with

    make mutants                                    # a fixed sample, about half an hour on one core
    make mutants MUTANTS_ARGS=--all                 # every mutant
    make mutants MUTANTS_ARGS=hooks/rules/iron.py   # all of one module; this page stays as it is
    make mutants MUTANTS_ARGS=--resume              # without what an earlier run has killed
    make mutants MUTANTS_ARGS=--write               # this page again, with the reasons of today

**{day}, cosmic-ray {version}: of {tried} mutants tried ({made} exist) {killed} were killed and
{survived} survived, {unexplained} of these without a reason: score {score}.**
{took}

How it is done:

- The changes are those of cosmic-ray, as far as they say something about rules (chosen in
  `tools/mutation/making.py`), and our own for what it lacks (`tools/mutation/operators.py`).
- **The sample**: up to 60 mutants of each module, drawn with a fixed seed from its source; all
  of units, levels, renal function and the orders of quinine and potassium.
- A mutant meets the module's own tests first, then every test of the rules, the core, the
  units, the vignettes and the scenarios that runs a changed line; a line that runs at import
  also meets the test that compares `docs/reference` with the code. Left out are the slow
  properties of `test_no_contradictions.py` and everything above: the score can only be lower
  for it.
- **The score** is killed (or timed out) of those that start. A mutant that the program itself
  refuses at the start (an unknown limit, a rule without a reference) is "refused" and not
  counted.
- **Left out**: the wording of texts (sentences and parts of f-strings): each is pinned in
  `docs/reference/rules.md`, in the scenarios, or both, so that a mutant of one would only
  show that text is compared with text. Conditions that choose a text are mutated. Also left
  out: docstrings, annotations, `assert` (it states what types cannot) and the decorators of
  data classes and caches, which change no answer.
- The unchanged program passes the same way through the same tests first, or the run stops.

What the score does not say: where a sample was taken, the tests were then completed for the
survivors of that very sample, so its score is better than that of the mutants never tried. The
first run of all (2026-11-23, 2,083 mutants) killed 82.8 %. After its survivors were dealt with,
693 mutants that no sample had held were tried in five modules: 91 % were killed, and about a
third of the rest are equivalent. That is what to expect of what was not tried.
"""
