"""A rule with a new analyte, as its author meets it: one block, one command, and the tests pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT
from tests.testing.thorough import thorough

BLOCK = """
[chloride]
name = "Chloride"
canonical = "mmol/L"
decimals = 0
plausible = ["50", "180"]
codes = [{ code = "2075-0", display = "Chloride in Serum or Plasma", source = "loinc.org" }]
names = ["chloride", "serum chloride"]
order = "Chloride, serum"
[[chloride.unit]]
name = "mmol/L"
spellings = ["mmol/L", "mmol/l"]
[[chloride.unit]]
name = "mEq/L"
spellings = ["meq/L", "mEq/L"]
note = "valence 1"
"""
# Tests that look at everything that a topic holds.
TESTS = (
    "tests/rules/test_high_chloride.py",
    "tests/core/test_properties.py",
    "tests/core/test_engine.py",
    "tests/core/test_no_contradictions.py",
    "tests/vocabulary/test_lists.py",
    "tests/vocabulary/test_knowledge_files.py",
    "tests/scenarios/test_scenarios.py",
    "tests/docs/test_generated.py",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of what an author works with."""
    skip = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in ("hooks", "docs", "fixtures", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skip)
    for file in ROOT.iterdir():
        if file.is_file() and not file.name.startswith("."):
            shutil.copy(file, tmp_path / file.name)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # The settings of the tests are not those of a new user: the check would name them.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**environ, "TESTS": "everyday"},
        capture_output=True,
        text=True,
        check=False,
    )


@thorough
def test_a_rule_with_a_new_analyte_is_one_block_and_one_command(clone: Path) -> None:
    analytes = clone / "hooks" / "knowledge" / "analytes.toml"
    with analytes.open("a", encoding="utf-8") as file:
        file.write(BLOCK)
    options = ("--hook", "patient-view", "--analyte", "chloride", "--orders", "chloride")
    written = run(
        clone, "-m", "cds_service", "new-rule", "high-chloride", *options, "--above", "110"
    )
    assert written.returncode == 0, written.stderr
    # Each placeholder is named; replaced, nothing is missing.
    checked = run(clone, "-m", "cds_service", "check")
    left = re.findall(r"(\S+):(\d+): a placeholder is left: ", checked.stderr)
    assert checked.returncode == 1 and len(left) == len(checked.stderr.splitlines()) == 7
    for name, number in left:
        lines = (clone / name).read_text(encoding="utf-8").splitlines(keepends=True)
        lines[int(number) - 1] = lines[int(number) - 1].replace("TODO new-rule: ", "")
        (clone / name).write_text("".join(lines), encoding="utf-8")
    checked = run(clone, "-m", "cds_service", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    documented = run(clone, "docs/generate.py")
    assert documented.returncode == 0, documented.stderr
    tested = run(clone, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert tested.returncode == 0, tested.stdout[-3000:]
    assert "high-chloride" in (clone / "docs/reference/rules.md").read_text(encoding="utf-8")
    # A second rule that fires on the same result does not break the tests of the first.
    again = run(clone, "-m", "cds_service", "new-rule", "raised-chloride", *options)
    assert again.returncode == 0, again.stderr
    assert "The rule fires above the existing limit chloride.high, 110 mmol/L" in again.stdout
    both = ("tests/rules/test_high_chloride.py", "tests/rules/test_raised_chloride.py")
    tested = run(clone, "-m", "pytest", "-q", "-p", "no:cacheprovider", *both)
    assert tested.returncode == 0, tested.stdout[-3000:]
