"""A lower bound that differs from the installed version was not tested and is reported."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "lowest.py"


def judged(folder: Path, requirement: str, *options: str) -> subprocess.CompletedProcess[str]:
    pyproject = folder / "pyproject.toml"
    pyproject.write_text(
        f'[project]\nname = "one"\ndependencies = ["{requirement}"]\n'
        "[project.optional-dependencies]\nmore = []\n"
        f'[dependency-groups]\ndev = ["pytest>={version("pytest")}"]\n'
    )
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(pyproject), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bound_that_is_installed_passes(tmp_path: Path) -> None:
    process = judged(tmp_path, f"click>={version('click')},<99")
    assert (process.returncode, process.stdout) == (
        0,
        "lowest: 2 of 2 lower bounds are installed exactly.\n",
    )


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("click>=0.1", f"{version('click')} is installed."),
        ("click<99", "has no lower bound."),
    ],
)
def test_a_lower_bound_that_was_not_tested_fails(
    tmp_path: Path, requirement: str, message: str
) -> None:
    process = judged(tmp_path, requirement)
    assert process.returncode == 1
    assert process.stderr.splitlines() == [f"{requirement}: {message}"]
    assert process.stdout.splitlines()[-1] == "lowest: 1 of 2 lower bounds are installed exactly."


def test_the_lowest_versions_are_printed_as_constraints(tmp_path: Path) -> None:
    process = judged(tmp_path, "click>=0.1,<99", "--print")
    assert process.returncode == 0
    assert process.stdout == f"click==0.1\npytest=={version('pytest')}\n"
