"""The database unavailable, back, and its disk full: cards go on, nothing acknowledged is lost."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.feedback.conftest import Cluster, cluster
from tests.testing.serving import CARDS, stored_cards, until
from tools.faults.calls import Feedback, good_calls
from tools.faults.conftest import Row
from tools.faults.load import send_all

__all__ = ["cluster"]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own, of that size; the row is skipped where there cannot be one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount the small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def filled(ballast: Path) -> None:
    """Fill the disk with this file."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def _outage(
    row: Row, fail: Callable[[], object], back: Callable[[], object],
    stored: Callable[[], set[str]], *, seconds: float, rounds: int = 1, degraded: bool = True,
    patience_s: float = 60.0, feedback: Feedback | None = None,
) -> None:  # fmt: skip
    """Let the database fail so many times for so many seconds, under feedback and calls.

    ``degraded``: /readyz must say so; a database that can still be read stays ready.
    ``patience_s``: how long after the failure feedback may still be stored.
    """
    service, recoveries = row.service, []
    feedback = feedback or Feedback((200, 503))

    def one_more(status: int, what: str, patience_s: float) -> float:
        count = feedback.statuses[status]
        return until(lambda: feedback.statuses[status] > count, what, patience_s)

    with (
        row.load("calls", good_calls(), 2),
        row.load("feedback", feedback.calls(), 2, feedback),
    ):
        time.sleep(2)
        for _ in range(rounds):
            fail()
            try:
                one_more(503, "a refusal", patience_s)
                row.must(not degraded or service.degraded(), "/readyz does not say so")
                row.must(service.says("/healthz"), "/healthz does not answer")
                time.sleep(seconds)
            finally:
                back()
            recoveries.append(one_more(200, "feedback again", 30))
            until(lambda: not service.degraded(), "the database", 30)
            time.sleep(1)
    row.figure(f"slowest refusal {feedback.refusal_s:.1f} s; stored again {max(recoveries):.1f} s "
               "after the return")  # fmt: skip
    row.must_be_kept(feedback, stored())


def test_sqlite_locked(row: Row) -> None:
    """another process holds SQLite's write lock, under load

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost
    """
    path = row.folder / "records.db"
    with (
        row.serving(),
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as line,
    ):
        # A write that waits for the lock gives up after five seconds.
        _outage(
            row, lambda: line.execute("BEGIN IMMEDIATE"), lambda: line.execute("ROLLBACK"),
            lambda: stored_cards(row.folder), seconds=row.many(15, 3), degraded=False,
        )  # fmt: skip


def test_sqlite_gone(row: Row) -> None:
    """the folder of the SQLite file disappears, all workers are killed, the folder returns

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost; /readyz says degraded meanwhile
    """
    home, gone = row.folder / "home", row.folder / "gone"
    home.mkdir()
    with row.serving(DATABASE_URL=f"sqlite:///{home}/records.db") as service:
        feedback = Feedback((200, 503))
        send_all(itertools.islice(feedback.calls(), 50), service.port, feedback)
        row.must(feedback.statuses == {200: 50}, f"before: {feedback.said()}")
        home.rename(gone)
        before = service.started
        for worker in service.worker_processes():
            worker.kill()
        until(lambda: service.started >= before + 2, "new workers")
        until(lambda: bool(service.says("/healthz")), "an answer")
        # Under load it is gone from the beginning: killed workers lose their connections.
        _outage(
            row, lambda: None, lambda: gone.rename(home), lambda: stored_cards(home),
            seconds=row.many(8, 3), feedback=feedback,
        )  # fmt: skip


def test_postgres(row: Row, cluster: Cluster) -> None:
    """PostgreSQL is stopped without a goodbye and started again, three times, under load

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost; /readyz says degraded meanwhile
    """

    def stored() -> set[str]:
        with psycopg.connect(cluster.url) as line:
            return {str(card) for (card,) in line.execute(CARDS)}

    with row.serving(DATABASE_URL=cluster.url):
        _outage(
            row, lambda: cluster.stop("immediate"), cluster.start, stored,
            rounds=row.many(3, 1), seconds=row.many(8, 3), patience_s=15,
        )  # fmt: skip


def test_disk_full(row: Row) -> None:
    """the disk of the database (16 MB) fills up and is freed, under load

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost
    """
    with small_disk(row.folder / "disk", 16) as home:
        url, ballast = f"sqlite:///{home}/records.db", home / "ballast"
        with row.serving(DATABASE_URL=url, LOG_LEVEL="error"):
            _outage(
                row, lambda: filled(ballast), ballast.unlink, lambda: stored_cards(home),
                seconds=row.many(15, 3), degraded=False,
            )  # fmt: skip
