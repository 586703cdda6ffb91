"""The database unavailable, back, and its disk full: cards go on, nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.feedback.conftest import Cluster, cluster
from tests.testing.serving import CARDS, Service, serving, stored_cards, until
from tools.faults.calls import Feedback, good_calls
from tools.faults.conftest import Row
from tools.faults.load import Tally, send_all, under_load

__all__ = ["cluster"]


def _outage(
    row: Row, service: Service, fail: Callable[[], object],
    return_: Callable[[], object], stored: Callable[[], set[str]], *,
    seconds: float, rounds: int = 1, degraded: bool = True, patience_s: float = 60.0,
    feedback: Feedback | None = None,
) -> None:  # fmt: skip
    """Let the database fail so many times for so many seconds, under feedback and calls.

    ``degraded``: /readyz must say so; a database that can still be read stays ready.
    ``patience_s``: how long after the failure feedback may still be stored.
    """
    cards, feedback = Tally(), feedback or Feedback((200, 503))
    recoveries: list[float] = []
    with (
        under_load(service.port, good_calls(), cards, 2),
        under_load(service.port, feedback.calls(), feedback, 2),
    ):
        time.sleep(2)
        for _ in range(rounds):
            before = feedback.statuses[503]
            fail()
            try:
                until(lambda n=before: feedback.statuses[503] > n, "a refusal", patience_s)  # type: ignore[misc]
                row.must(not degraded or service.degraded(), "/readyz does not say so")
                row.must(service.says("/healthz"), "/healthz does not answer")
                time.sleep(seconds)
            finally:
                return_()
            good = feedback.statuses[200]
            again = until(lambda n=good: feedback.statuses[200] > n, "feedback again", 30)  # type: ignore[misc]
            recoveries.append(again)
            until(lambda: not service.degraded(), "the database", 30)
            time.sleep(1)
    row.must_be_clean(service)
    row.must_be_right("calls", cards)
    row.must_be_right("feedback", feedback)
    row.figure(f"calls: {cards}")
    row.figure(
        f"feedback: {feedback.said()}, slowest refusal {feedback.refusal_s:.1f} s; stored again "
        f"{max(recoveries):.1f} s after the return"
    )
    row.must_be_kept(feedback, stored())


def test_sqlite_locked(row: Row) -> None:
    """another process holds SQLite's write lock, under load

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost
    """
    with serving(row.folder) as service:
        line = sqlite3.connect(
            row.folder / "records.db", timeout=30, isolation_level=None, check_same_thread=False
        )
        # A write that waits for the lock gives up after five seconds.
        _outage(
            row, service, lambda: line.execute("BEGIN IMMEDIATE"), lambda: line.execute("ROLLBACK"),
            lambda: stored_cards(row.folder), seconds=row.many(15, 3), degraded=False,
        )  # fmt: skip
        line.close()


def test_sqlite_gone(row: Row) -> None:
    """the folder of the SQLite file disappears, all workers are killed, the folder returns

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost; /readyz says degraded meanwhile
    """
    home, gone = row.folder / "home", row.folder / "gone"
    home.mkdir()
    with serving(row.folder, settings={"DATABASE_URL": f"sqlite:///{home}/records.db"}) as service:
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
            row, service, lambda: None, lambda: gone.rename(home), lambda: stored_cards(home),
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

    with serving(row.folder, settings={"DATABASE_URL": cluster.url}) as service:
        _outage(
            row, service, lambda: cluster.stop("immediate"), cluster.start, stored,
            rounds=row.many(3, 1), seconds=row.many(8, 3), patience_s=15,
        )  # fmt: skip


def test_disk_full(row: Row) -> None:
    """the disk of the database fills up and is freed, under load

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost
    """
    home = row.folder / "disk"
    home.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(home)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount the small disk")
    try:
        settings = {"DATABASE_URL": f"sqlite:///{home}/records.db", "LOG_LEVEL": "error"}
        with serving(row.folder, settings=settings) as service:
            _outage(
                row, service, lambda: _fill(home / "ballast"), (home / "ballast").unlink,
                lambda: stored_cards(home), seconds=row.many(15, 3), degraded=False,
            )  # fmt: skip
    finally:
        subprocess.run(["umount", "--lazy", str(home)], check=True)
    row.figure("a full disk of 16 MB")


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
