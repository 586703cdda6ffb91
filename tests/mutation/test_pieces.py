"""The parts of the mutation run that select tests and read mutants; `make mutants` runs it all."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tools.mutation.__main__ import TESTS, changed, own_tests, reasons

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


def test_the_changed_lines_of_a_mutant_are_read() -> None:
    assert changed(DIFF) == ("return (a < b)", "return (a <= b)")


def test_every_reason_is_a_sentence_about_a_line_that_exists() -> None:
    assert reasons()
    for (module, before, after), because in reasons().items():
        assert before in " ".join((ROOT / module).read_text(encoding="utf-8").split()), before
        assert before != after
        assert because.endswith(".")


def test_the_modules_and_tests_that_are_named_exist() -> None:
    config = tomllib.loads((ROOT / "tools/mutation/cosmic-ray.toml").read_text())["cosmic-ray"]
    assert all((ROOT / path).exists() for path in config["module-path"])
    assert all((ROOT / path.removeprefix("--ignore=")).exists() for path in TESTS)
    assert [Path(test).name for test in own_tests("hooks/rules/vascular.py", ROOT)] == [
        "test_mimics.py"
    ]
    assert [Path(test).name for test in own_tests("hooks/dose.py", ROOT)] == ["test_dose.py"]
