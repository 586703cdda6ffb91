"""The parts of the mutation run that choose, read and write; `make mutants` runs it whole."""

from __future__ import annotations

import sqlite3
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tools.mutation import page
from tools.mutation.page import Mutant
from tools.mutation.sample import NOT_IN_SAMPLE, WHOLE, left_out, spared
from tools.mutation.verdict import TESTS, own_tests

ROOT = Path(__file__).parents[2]
DIFF = """--- mutation diff ---
--- a/hooks/renal.py
+++ b/hooks/renal.py
@@ -1,3 +1,3 @@
 before
-    return (a
-            < b)
+    return (a
+            <= b)
 after"""


def mutant(fate: str, was: str = "a < b", now: str = "a <= b") -> Mutant:
    return Mutant("hooks/renal.py", 3, "Lt_LtE", was, now, fate)


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *mutants: Mutant) -> str:
    monkeypatch.setattr(page, "PAGE", tmp_path / "mutation.md")
    page.write(mutants, "2026-11-23", "8.7.0")
    return (tmp_path / "mutation.md").read_text(encoding="utf-8")


def test_the_score_is_of_the_mutants_that_start_and_is_never_rounded_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [mutant("killed")] * 2 + [mutant("refused")] * 4 + [mutant("survived")]
    text = written(tmp_path, monkeypatch, *some, *[mutant("not tried")] * 2)
    assert "| `hooks/renal.py` | 9 | 7 | 2 | 0 | 4 | 1 | 66.6 % |" in text
    many = [mutant("killed")] * 9999 + [mutant("survived")]
    assert "score 99.9 %" in written(tmp_path, monkeypatch, *many)
    assert "score 100.0 %" in written(tmp_path, monkeypatch, mutant("timed out"))


def test_a_survivor_without_a_reason_is_said_and_one_with_a_reason_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(mutant("survived", "x", "y"), reason="Because.")
    unknown = mutant("survived")
    text = written(tmp_path, monkeypatch, known, unknown, mutant("killed"))
    assert "Because.\n\n- line 3, Lt_LtE: `x` → `y`" in text
    assert "**unexplained**\n\n- line 3, Lt_LtE: `a < b` → `a <= b`" in text
    assert page.unexplained([known, unknown, mutant("killed")]) == [unknown]


@pytest.mark.parametrize(
    ("outcome", "fate"),
    [
        (("NORMAL", "KILLED", "1 failed"), "killed"),
        (("NORMAL", "KILLED", "timeout"), "timed out"),
        (("NORMAL", "KILLED", "refused unknown limit"), "refused"),
        (("NORMAL", "SURVIVED", "9 passed"), "survived"),
        (("SKIPPED", None, NOT_IN_SAMPLE), "not tried"),
    ],
)
def test_a_session_of_cosmic_ray_is_read(
    outcome: tuple[str, str | None, str],
    fate: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = ("hooks/renal.py", "return (a < b)", "return (a <= b)")
    monkeypatch.setattr(page, "reasons", lambda: {key: "Because."})
    assert _read(tmp_path, *outcome) == [
        Mutant("hooks/renal.py", 3, "Lt_LtE", "return (a < b)", "return (a <= b)", fate, "Because.")
    ]


def test_what_is_skipped_for_another_reason_does_not_count(tmp_path: Path) -> None:
    assert _read(tmp_path, "SKIPPED", None, "Filtered operator") == []


def test_a_worker_that_broke_down_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such file"):
        _read(tmp_path, "EXCEPTION", "INCOMPETENT", "no such file")


def _read(folder: Path, worker: str, test: str | None, output: str) -> list[Mutant]:
    path = folder / "session.sqlite"
    with sqlite3.connect(path) as session:
        session.execute(
            "CREATE TABLE mutation_specs (module_path, start_pos_row, operator_name, occurrence, "
            "job_id)"
        )
        session.execute(
            "CREATE TABLE work_results (worker_outcome, test_outcome, output, diff, job_id)"
        )
        session.execute(
            "INSERT INTO mutation_specs VALUES ('hooks/renal.py', 3, 'core/Lt_LtE', 0, 1)"
        )
        session.execute(
            "INSERT INTO work_results VALUES (?, ?, ?, ?, 1)", [worker, test, output, DIFF]
        )
    return page.read(path)


def test_the_sample_is_the_same_each_time_and_dangerous_modules_are_tried_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    places = [((9_000, at), (9_000, at + 1)) for at in range(500)]
    iron = left_out("hooks/rules/iron.py", places, (), 60)
    assert len(iron) == 440
    assert iron == left_out("hooks/rules/iron.py", places, (), 60)
    assert left_out("hooks/rules/quinine.py", places, (), 60) == {}
    assert left_out("hooks/rules/iron.py", places, ["hooks/rules/iron.py"], 60) == {}
    assert len(left_out("hooks/rules/quinine.py", places, ["hooks/rules/iron.py"], 60)) == 500
    assert all((ROOT / path).is_file() for path in WHOLE)


def test_what_changes_no_answer_is_spared() -> None:
    source = '"""Doc."""\n@cache\ndef f(a: int = 3) -> str:\n    assert a\n    return g(a)\n'
    assert sorted(spared(source)) == [
        ((1, 0), (1, 10)), ((2, 1), (2, 6)), ((3, 9), (3, 12)), ((3, 21), (3, 24)),
        ((4, 4), (4, 12)),
    ]  # fmt: skip


def test_the_modules_and_tests_that_are_named_exist() -> None:
    config = tomllib.loads((ROOT / "tools/mutation/cosmic-ray.toml").read_text())["cosmic-ray"]
    assert all((ROOT / path).exists() for path in config["module-path"])
    assert all((ROOT / path.removeprefix("--ignore=")).exists() for path in TESTS)
    assert [Path(one).name for one in own_tests("hooks/rules/vascular.py", ROOT)] == [
        "test_mimics.py"
    ]
    assert [Path(one).name for one in own_tests("hooks/dose.py", ROOT)] == ["test_dose.py"]
