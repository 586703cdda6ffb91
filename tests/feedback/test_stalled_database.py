"""A database that is locked, stopped or silent keeps no card waiting.

Source: fault 6 of the attacks: a locked or stalled database delayed every signed call by 5 to 38 s.
"""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from cds_service.errors import Unavailable
from cds_service.storage.database import open_database
from cds_service.storage.prompt_runner import PromptRunner
from cds_service.storage.replay import DatabaseReplay
from cds_service.storage.watch import Watch
from cds_service.trust.used_tokens import ReplayCheck

pytestmark = pytest.mark.timed

AT_ONCE = 0.1
PATIENCE = 0.45  # a fifth of a second, allowing for a busy machine


def test_a_locked_file_delays_one_call_by_a_fifth_of_a_second_and_no_later_call(
    sqlite_url: str, tmp_path: Path
) -> None:
    database = open_database(sqlite_url)
    database.migrate()
    replay = ReplayCheck(DatabaseReplay(database))
    with closing(sqlite3.connect(tmp_path / "kept.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        assert replay.first_use("ehr", "first", time.time() + 300)
        assert time.monotonic() - started < PATIENCE
        for number in range(20):
            started = time.monotonic()
            assert replay.first_use("ehr", f"j{number}", time.time() + 300)
            assert not replay.first_use("ehr", f"j{number}", time.time() + 300)
            assert time.monotonic() - started < AT_ONCE
        with pytest.raises(Unavailable):
            database.probe()  # reading works all the while; the probe tries to write
        other.execute("ROLLBACK")
    database.probe()
    assert replay.first_use("ehr", "after", time.time() + 300)
    with database.read() as connection:
        stored = connection.exec_driver_sql("SELECT count(*) FROM token_ids").scalar_one()
    assert stored >= 1
    assert not replay.first_use("ehr", "first", time.time() + 300)
    database.close()


def test_a_server_that_accepts_connections_and_never_responds() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        port = silent.getsockname()[1]
        database = open_database(f"postgresql://cds@127.0.0.1:{port}/x")
        replay = ReplayCheck(DatabaseReplay(database))
        started = time.monotonic()
        assert replay.first_use("ehr", "first", time.time() + 300)
        assert time.monotonic() - started < PATIENCE
        started = time.monotonic()
        for number in range(50):
            assert replay.first_use("ehr", f"j{number}", time.time() + 300)
        assert time.monotonic() - started < AT_ONCE
        # A probe that waited longer would remove a pod that still gives cards.
        started = time.monotonic()
        assert not database.ready()
        assert time.monotonic() - started < PATIENCE
        database.close()


def test_failing_work_is_reported_and_hanging_work_is_abandoned() -> None:
    reports: list[int] = []
    prompt = PromptRunner(lambda: reports.append(1))
    assert prompt(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        prompt(lambda: 1 // 0)
    assert not reports
    gate = threading.Event()
    started = time.monotonic()
    with pytest.raises(Unavailable):
        prompt(gate.wait)
    assert time.monotonic() - started < PATIENCE
    assert reports
    gate.set()


def test_a_silent_connection_is_cut_and_a_timely_one_is_not() -> None:
    ours, theirs = socket.socketpair()
    watch = Watch()
    with ours, theirs:
        with watch.over(ours, 30):
            theirs.send(b"x")
            assert ours.recv(1) == b"x"
        started = time.monotonic()
        with watch.over(ours, 0.2):
            assert ours.recv(1) == b""
        assert time.monotonic() - started < 2
