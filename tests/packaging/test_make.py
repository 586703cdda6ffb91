"""Set-up by make: once, again after a change, and not otherwise.

A stand-in for Python records how it is called, so that nothing is installed and no network is used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

STAND_IN = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  *"venv --clear"*) rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
  *--editable*) [ ! -e "$BROKEN" ] ;;
esac
"""


class Project:
    """A checkout with the real Makefile and the stand-in as its Python."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        self.calls = tools / "calls"
        self.broken = tools / "broken"
        self.python = tools / "python"
        folder.mkdir()
        shutil.copy(CHECKOUT / "Makefile", folder)
        (folder / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
        self.python.write_text(STAND_IN, encoding="utf-8")
        self.python.chmod(0o755)

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("", encoding="utf-8")
        return subprocess.run(
            ["make", f"PYTHON={self.python}", *words],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "CALLS": str(self.calls),
                "BROKEN": str(self.broken),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def install_calls(self) -> list[str]:
        calls = self.calls.read_text(encoding="utf-8").splitlines()
        return [call for call in calls if "--editable" in call]

    def environment_was_made(self) -> bool:
        return "venv --clear" in self.calls.read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    tools = tmp_path / "tools"
    tools.mkdir()
    return Project(tmp_path / "checkout", tools)


def test_the_first_call_makes_the_environment_and_installs_the_development_set(
    project: Project,
) -> None:
    assert project.make("environment-dev").returncode == 0
    assert project.environment_was_made()
    assert project.install_calls() == ["-m pip install --quiet --editable . --group dev"]


def test_the_second_call_does_nothing(project: Project) -> None:
    project.make("environment-dev")
    assert project.make("environment-dev").returncode == 0
    assert project.calls.read_text(encoding="utf-8") == ""


def test_running_after_testing_needs_nothing_more(project: Project) -> None:
    project.make("environment-dev")
    assert project.make("environment").returncode == 0
    assert project.calls.read_text(encoding="utf-8") == ""


def test_running_alone_installs_no_development_set(project: Project) -> None:
    project.make("environment")
    assert project.install_calls() == ["-m pip install --quiet --editable ."]


def test_a_changed_dependency_is_installed_into_the_same_environment(project: Project) -> None:
    project.make("environment-dev")
    (project.folder / "pyproject.toml").write_text("[project]\n# more\n", encoding="utf-8")
    assert project.make("environment-dev").returncode == 0
    assert not project.environment_was_made()
    assert len(project.install_calls()) == 1


def test_a_moved_checkout_gets_a_new_environment(project: Project) -> None:
    project.make("environment-dev")
    project.folder = project.folder.rename(project.folder.with_name("elsewhere"))
    assert project.make("environment-dev").returncode == 0
    assert project.environment_was_made()


def test_an_environment_made_by_hand_is_kept(project: Project) -> None:
    (project.folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(project.python, project.folder / ".venv" / "bin" / "python")
    assert project.make("environment-dev").returncode == 0
    assert not project.environment_was_made()
    assert len(project.install_calls()) == 1


def test_a_failed_install_fails_and_is_tried_again(project: Project) -> None:
    project.broken.touch()
    assert project.make("environment-dev").returncode != 0
    project.broken.unlink()
    assert project.make("environment-dev").returncode == 0
    assert len(project.install_calls()) == 1


def test_check_runs_every_step_and_counts_what_failed(project: Project) -> None:
    project.make("environment-dev")
    (project.folder / ".venv" / "bin" / "lint-imports").symlink_to("/bin/false")
    (project.folder / ".venv" / "bin" / "codespell").symlink_to("/bin/true")
    process = project.make("check")
    assert process.returncode != 0
    last = process.stdout.splitlines()[-1]
    assert last == "check: 1 of 6 failed: layers"
    calls = project.calls.read_text(encoding="utf-8")
    for step in ("ruff check", "ruff format --check", "mypy", "pytest"):
        assert step in calls
