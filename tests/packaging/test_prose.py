"""The prose check reports a planted fault of each kind, and `make check` and the hooks before a
commit are the same steps."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.testing.thorough import thorough

pytestmark = thorough  # tests of a tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def faults_in() -> Callable[[Path], list[str]]:
    program = runpy.run_path(str(ROOT / ".ci" / "prose.py"))
    program["main"](str(ROOT / "GLOSSARY.md"))  # registers the checks
    return program["faults_in"]


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("page.md", "One.\n\nFind out the the value.\n", "page.md:3: There's a lexical illusion"),
        ("page.md", "It is very unique.\n", "unique"),
        ("page.md", "While the server\nis away, cards are shown.\n", "'is away' is on the list"),
        ("page.md", 'The "number" is no number.\n', "page.md:1: 'is no number'"),
        ("page.py", "x = 1\n# Mend the file.\n", "page.py:2: 'Mend'"),
        ("page.py", '"""A text.\n\nThe key stands twice.\n"""\n', "page.py:3: 'stands twice'"),
        ("page.py", 'x = f"with these kidneys {1}"\n', "in renal impairment"),
        ("page.md", "A target\nis no result.\n", "page.md:2: 'is no result'"),
        ("page.py", 'x = ("what speaks "\n  "against it")\n', "contraindications"),
        ("page.py", 'x = "The color of it"\n', "'color'"),
        ("page.py", 'x = f"Organize {1} visits"\n', "'Organize'"),
        ("page.py", 'x = "Hypokalemia, anemia"\n', "'anemia'"),
        ("page.py", 'x = "Ask a neighbor"\n', "'neighbor'"),
        ("page.toml", '[a]\nmeaning = "below it: hemoglobin"\n', "page.toml:2: 'hemoglobin'"),
        ("page.json", '{\n "reason": "for leg edema"\n}\n', "page.json:2: 'edema'"),
        ("page.html", "<p>The color of it</p>\n", "page.html:1: 'color'"),
        ("page.js", 'say("The list is away");\n', "page.js:1: 'is away'"),
        ("page.html", "<p>The list\nis away</p>\n", "page.html:2: 'is away'"),
    ],
)
def test_a_planted_fault_is_reported_with_its_line(
    tmp_path: Path, faults_in: Callable[[Path], list[str]], name: str, text: str, part: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    faults = faults_in(tmp_path / name)
    assert any(part in fault for fault in faults), faults


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.md", "Set the color to `mend`:\n\n```\nThe the key is away\n```\n"),
        ("page.md", "There is no number.\n"),
        ("page.py", '"""The color is American in documents."""\nx = "anemia"\n'),
        ("page.py", 'x = "The Authorization header, of any size"\n'),
        ("page.toml", 'codes = [{ display = "Hemoglobin in blood" }]\n'),
        ("page.json", '{"display": "Hemoglobin in blood"}\n'),
    ],
)
def test_code_keys_and_official_names_are_not_prose(
    tmp_path: Path, faults_in: Callable[[Path], list[str]], name: str, text: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert faults_in(tmp_path / name) == []


def test_a_misspelling_where_card_texts_are_kept_is_reported(tmp_path: Path) -> None:
    wrong = ["t" + "eh", "recie" + "ve", "acc" + "omodate"]
    names = ["limits.toml", "orders.json", "page.md", "rule.py"]
    for name in names:
        (tmp_path / name).write_text(f'# "{" ".join(wrong)}"\n', "utf-8")
    command = re.search(r"codespell ((?:.*\\\n)?.*) \. \.ci\n", (ROOT / "Makefile").read_text())
    assert command is not None
    options = command[1].replace("\\\n", "").replace("'", "").split()
    process = subprocess.run(
        [str(Path(sys.executable).with_name("codespell")), *options, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {
        (Path(name).name, word) for name, word in re.findall(r"(\S+):1: (\w+) ==>", process.stdout)
    }
    assert found == {(name, word) for name in names for word in wrong}


def test_the_hooks_before_a_commit_are_the_steps_of_make_check() -> None:
    checks = re.search(r"^CHECKS := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert checks is not None
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert set(re.findall(r"entry: make (\w+)", hooks)) == set(checks[1].split())
