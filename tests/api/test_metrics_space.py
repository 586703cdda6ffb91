"""Metrics never stop a card: their files have all their space from the start, or are not used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cds_service.ops import metrics_files
from tests.testing.programs import run_program

_COUNT = """
import errno, os, sys
from cds_service.ops import metrics_files
full = sys.argv[1] == "full"
with metrics_files.shared_folder():
    folder = os.environ[metrics_files.FOLDER]
    metrics_files.reserve(30)
    from cds_service.ops.metrics import Metrics
    from hooks import TOPIC
    topics = {rule.id: "a-topic-with-a-long-name" for rule in TOPIC.rules}
    metrics = Metrics(topics, by_site=True)
    if full:
        def no_room(*_):
            raise OSError(errno.ENOSPC, "No space left on device")
        os.posix_fallocate = no_room
        try:
            metrics_files.reserve()
        except OSError:
            metrics.stop()
    for site in map("site-{:016}".format, range(30)):
        for rule in TOPIC.rules:
            for word in ("fired", "did not fire", "cannot tell"):
                metrics.outcomes([(rule.id, word)], site)
            for indicator in ("warning", "critical"):
                metrics.shown(rule.id, indicator, site)
            metrics.dropped(rule.id, site)
            metrics.would_show(rule.id, site)
        metrics.problems(map("a-kind-of-problem-{}".format, range(30)), site)
    metrics.audit_lost(1)
    metrics.fhir_breaker("https://fhir.example", "open")
    metrics.refused("calls")
    metrics.call("leg-cramps-patient-view", 0.1)
    metrics.problems(["no-unit"], "site-1")
    text = metrics.exposition().decode()
    file = f"{folder}/counter_{os.getpid()}.db"
    size = os.stat(file).st_size if os.path.exists(file) else 0  # where nothing is counted
    breaker = 'cds_breaker_open{partner="fhir",server="https://fhir.example"} 1.0'
    print(metrics.counts, breaker in text,
          size == metrics_files._ROOM + 30 * metrics_files._ROOM_PER_SITE)
"""


def _counted(how: str, tmp_path: Path) -> list[str]:
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    program = run_program("-c", _COUNT, how, folder=tmp_path, environ=environ)
    assert program.returncode == 0, program.stderr
    return program.stdout.split()


def test_without_space_nothing_is_counted_and_nothing_fails(tmp_path: Path) -> None:
    assert _counted("full", tmp_path)[:2] == ["False", "False"]


def test_all_series_of_thirty_sites_fit_into_the_reserved_space(tmp_path: Path) -> None:
    assert _counted("free", tmp_path) == ["True", "True", "True"]


_KEPT_OPEN = """
import os, sys, time
from cds_service.ops import metrics_files
with metrics_files.shared_folder():
    if os.fork() == 0 or sys.argv[1] == "both":
        os.write(1, f"{os.getpid()}\\n".encode())
        time.sleep(60)
    else:
        os._exit(0)  # as if killed: the folder is left to the worker
"""


def _started(which: str, tmp_path: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A service with one worker, and the ids of the processes that go on running."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-c", _KEPT_OPEN, which]
    process = subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [int(process.stdout.readline()) for _ in range(2 if which == "both" else 1)]


def _killed(process: subprocess.Popen[str], ids: list[int]) -> None:
    for pid in ids:
        os.kill(pid, signal.SIGKILL)
    process.communicate()  # until no process of it is left


def _after_another_start(tmp_path: Path, aged: bool = True) -> set[str]:
    """The folders that are left when another service has started and ended."""
    if aged:
        for lock in tmp_path.glob("*/in-use"):
            os.utime(lock, (1, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        patch.setenv(metrics_files.FOLDER, "")  # so that what is set here ends with it
        with metrics_files.shared_folder():
            own = os.environ[metrics_files.FOLDER]
            remaining = {path.name for path in tmp_path.iterdir()} - {Path(own).name}
        assert not Path(own).exists()
    return remaining


@pytest.mark.parametrize("which", ["both", "worker"])
def test_what_a_killed_service_left_behind_is_removed_by_the_next(
    tmp_path: Path, which: str
) -> None:
    process, ids = _started(which, tmp_path)
    (folder,) = tmp_path.iterdir()
    # The service runs, even if only a worker of it is left.
    assert _after_another_start(tmp_path) == {folder.name}
    _killed(process, ids)
    os.utime(folder / "in-use")
    # Another may be about to lock a file that is new.
    assert _after_another_start(tmp_path, aged=False) == {folder.name}
    assert _after_another_start(tmp_path) == set()


def test_nothing_else_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    names = ("cds-metrics-1-without-a-lock", "cds-metrics-2-of-another-user", "other-3")
    for folder in (elsewhere, *(tmp_path / name for name in names)):
        folder.mkdir()
        (folder / "kept.db").touch()
    (tmp_path / "cds-metrics-4-a-file").touch()
    (tmp_path / "cds-metrics-5-a-link").symlink_to(elsewhere)
    (elsewhere / "in-use").touch()
    (tmp_path / names[0] / "in-use").symlink_to(elsewhere / "in-use")
    (tmp_path / names[2] / "in-use").touch()
    before = set(tmp_path.rglob("*"))
    assert _after_another_start(tmp_path) == {path.name for path in tmp_path.iterdir()}
    (tmp_path / names[1] / "in-use").touch()
    monkeypatch.setattr("os.getuid", lambda: 54321)
    assert names[1] in _after_another_start(tmp_path)
    assert before <= set(tmp_path.rglob("*"))


def test_a_temporary_folder_that_cannot_be_listed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_folder: object) -> object:
        raise PermissionError

    monkeypatch.setattr("os.scandir", refused)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(metrics_files.FOLDER, "")  # so that what is set here ends with this test
    with metrics_files.shared_folder():
        assert Path(os.environ[metrics_files.FOLDER]).is_dir()
