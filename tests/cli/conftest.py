"""The command line in this process, with what it printed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cds_service.cli import main
from cds_service.ops import logs

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """How a command ended: its status, standard output and standard error."""

    status: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def cds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs ``cds-service`` with some words, in an empty folder and with no settings."""
    for name in os.environ:
        if name.startswith("CDS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CDS_DATABASE_URL", f"sqlite:///{tmp_path}/records.db")
    monkeypatch.chdir(tmp_path)
    # The logs of a process are set up once, and this is the tests' process.
    monkeypatch.setattr(logs, "configure_once", lambda _level, _style=None: None)

    def run(*words: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main.main([str(word) for word in words], prog_name="cds-service")
        printed = capsys.readouterr()
        return Result(int(exit_info.value.code or 0), printed.out, printed.err)

    return run


def patient(name: str) -> Path:
    """A Bundle of fixtures/patients."""
    return ROOT / "fixtures" / "patients" / f"{name}.json"


def request(name: str) -> Path:
    """A hook request of fixtures/scenarios."""
    return ROOT / "fixtures" / "scenarios" / name / "request.json"
