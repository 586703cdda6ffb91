"""The parts of the mutation run that count, remember and write; `make mutants` runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.mutation import page
from tools.mutation.known import Known
from tools.mutation.page import Run, Tried
from tools.mutation.plan import modules
from tools.mutation.trying import ROOT, Fate


def tried(fate: Fate, was: str = "a < b", now: str = "a <= b") -> Tried:
    return Tried("hooks/renal.py", 3, "Lt_LtE", was, now, fate)


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *mutants: Tried) -> str:
    monkeypatch.setattr(page, "PAGE", tmp_path / "mutation.md")
    page.write(Run(mutants, {"hooks/renal.py": 9}, "2026-11-23", "8.7.0", 5, resumed=0))
    return (tmp_path / "mutation.md").read_text(encoding="utf-8")


def test_the_score_is_of_the_mutants_that_start_and_is_never_rounded_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [tried(Fate.KILLED)] * 2 + [tried(Fate.REFUSED)] * 4 + [tried(Fate.SURVIVED)]
    text = written(tmp_path, monkeypatch, *some)
    assert "| `hooks/renal.py` | 9 | 7 | 2 | 0 | 4 | 1 | 66.6 % |" in text
    many = [tried(Fate.KILLED)] * 9999 + [tried(Fate.SURVIVED)]
    assert "score 99.9 %" in written(tmp_path, monkeypatch, *many)
    assert "score 100.0 %" in written(tmp_path, monkeypatch, tried(Fate.KILLED))


def test_a_survivor_without_a_reason_is_said_and_one_with_a_reason_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "reasons", lambda: {("hooks/renal.py", "x", "y"): "Because."})
    known, unknown = tried(Fate.SURVIVED, "x", "y"), tried(Fate.SURVIVED)
    text = written(tmp_path, monkeypatch, known, unknown, tried(Fate.KILLED))
    assert "Because.\n\n- line 3, Lt_LtE: `x` → `y`" in text
    assert "**unexplained**\n\n- line 3, Lt_LtE: `a < b` → `a <= b`" in text
    assert page.unexplained([known, unknown, tried(Fate.KILLED)]) == [unknown]


def test_what_was_killed_is_taken_over_and_a_survivor_is_tried_again(tmp_path: Path) -> None:
    first = Known(tmp_path / "fates", resume=False)
    first.put("dead", Fate.KILLED)
    first.put("alive", Fate.SURVIVED)
    again = Known(tmp_path / "fates", resume=True)
    assert again.get("dead") is Fate.KILLED
    assert again.get("alive") is None
    assert again.get("new") is None
    assert again.taken_over == 1
    assert Known(tmp_path / "fates", resume=False).get("dead") is None


def test_every_rule_is_among_the_modules() -> None:
    rules = {path.name for path in (ROOT / "hooks/rules").glob("*.py")} - {"__init__.py"}
    assert rules <= {Path(path).name for path in modules()}
