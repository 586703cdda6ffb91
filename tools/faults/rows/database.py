"""The database away, back, and its disk full: cards go on, nothing acknowledged is lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.faults.bodies import Answers, good_calls
from tools.faults.load import Answered, Client, Tally, endless, under_load
from tools.faults.partners import Postgres, postgres_programs
from tools.faults.run import Row, Run, pause, stored_cards
from tools.faults.service import Service, limit_files, serving, until

_DISK = "16m"
_LARGEST_FILE = 6_000_000


@dataclass(frozen=True)
class _Fault:
    """How the database goes away and comes back, and what it keeps."""

    away: Callable[[], None]
    back: Callable[[], None]
    cards: Callable[[], set[str]]
    patience_s: float = 15.0
    """How long after its going feedback may still be stored."""


def _outage(run: Run, service: Service, fault: _Fault, rounds: int, seconds: float) -> None:
    """Let the database fail so many times for so many seconds, under feedback and calls."""
    cards = Tally(keep=lambda answered: answered.status != 200)
    answers = Answers()
    feedback = Tally(keep=lambda answered: answered.status not in (200, 503))
    recoveries: list[float] = []
    refused: list[float] = []

    def hear(answered: Answered) -> None:
        feedback.add(answered)
        answers.hear(answered.call, answered.status)
        if answered.status == 503:
            refused.append(answered.seconds)

    with (
        under_load(service.port, endless(good_calls()), cards.add, 2, pause_s=0.005),
        under_load(service.port, answers.calls, hear, 2, pause_s=0.005),
    ):
        pause(2)
        for _ in range(rounds):
            before = feedback.statuses[503]
            fault.away()
            try:
                until(
                    lambda before=before: feedback.statuses[503] > before,  # type: ignore[misc]
                    "a refusal of feedback", fault.patience_s,
                )  # fmt: skip
                run.must(b"degraded" in service.get("/readyz")[1], "/readyz does not say so")
                run.must(service.alive(), "/healthz does not answer")
                pause(seconds)
            finally:
                fault.back()
            client = Client(service.port, fresh=True)
            source = answers.calls()

            def stored(client: Client = client, source: Iterator = source) -> bool:  # type: ignore[type-arg]
                answered = client.send(next(source))
                hear(answered)
                return answered.status == 200

            recoveries.append(until(stored, "feedback again", 30))
            until(lambda: b"degraded" not in service.get("/readyz")[1], "the database", 30)
            pause(1)
    run.must_be_clean(service)
    kept = fault.cards()
    missing = answers.acknowledged - kept
    run.must(not cards.kept, f"calls: {cards.said()}")
    run.must(not feedback.kept, f"feedback: {feedback.said()}")
    run.must(not missing, f"{len(missing)} acknowledged answers are lost")
    run.figure(f"calls: {cards.said()}, p99 {cards.quantile_ms(0.99):.0f} ms")
    run.figure(
        f"feedback: {feedback.said()}, slowest refusal {max(refused, default=0):.1f} s; stored "
        f"again {max(recoveries):.1f} s after the return"
    )
    run.figure(f"{len(answers.acknowledged):,} acknowledged, {len(missing)} lost")


def _sqlite(run: Run) -> None:
    holder: list[sqlite3.Connection] = []

    def hold() -> None:
        line = sqlite3.connect(run.folder / "records.db", timeout=30, isolation_level=None)
        line.execute("BEGIN IMMEDIATE")
        holder.append(line)

    def release() -> None:
        line = holder.pop()
        line.execute("ROLLBACK")
        line.close()

    with serving(run.folder) as service:
        # A write that waits for the lock gives up after five seconds.
        fault = _Fault(hold, release, lambda: stored_cards(run.folder))
        _outage_of_writes(run, service, fault)


def _outage_of_writes(run: Run, service: Service, fault: _Fault) -> None:
    """As `_outage`, of a database that can still be read: it stays ready."""
    cards = Tally(keep=lambda answered: answered.status != 200)
    feedback = Tally(keep=lambda answered: answered.status not in (200, 503))
    answers = Answers()

    def hear(answered: Answered) -> None:
        feedback.add(answered)
        answers.hear(answered.call, answered.status)

    with (
        under_load(service.port, endless(good_calls()), cards.add, 2, pause_s=0.005),
        under_load(service.port, answers.calls, hear, 2, pause_s=0.005),
    ):
        pause(2)
        fault.away()
        try:
            until(lambda: feedback.statuses[503] > 0, "a refusal of feedback", 30)
            pause(run.many(15, 3))
            refused = feedback.statuses[503]
        finally:
            fault.back()
        started = time.monotonic()
        good = feedback.statuses[200]
        until(lambda: feedback.statuses[200] > good, "feedback again", 30)
        took = time.monotonic() - started
        pause(2)
    run.must_be_clean(service)
    missing = answers.acknowledged - fault.cards()
    run.must(not cards.kept, f"calls: {cards.said()}")
    run.must(not feedback.kept, f"feedback: {feedback.said()}")
    run.must(not missing, f"{len(missing)} acknowledged answers are lost")
    run.figure(f"calls: {cards.said()}, p99 {cards.quantile_ms(0.99):.0f} ms")
    run.figure(f"feedback: {feedback.said()} ({refused} refused); again after {took:.1f} s")
    run.figure(f"{len(answers.acknowledged):,} acknowledged, {len(missing)} lost")


def _unreachable(run: Run) -> None:
    """The folder of the SQLite file disappears, with workers that know it not yet."""
    home = run.folder / "home"
    home.mkdir()
    gone = run.folder / "gone"

    with serving(run.folder, settings={"DATABASE_URL": f"sqlite:///{home}/records.db"}) as service:

        def away() -> None:
            home.rename(gone)
            before = service.log.count("Started worker-")
            for pid in service.worker_pids():
                os.kill(pid, signal.SIGKILL)
            until(lambda: service.log.count("Started worker-") >= before + 2, "new workers")
            until(service.alive, "an answer")

        away_calls = Tally(keep=lambda answered: answered.status != 200)
        away_feedback = Tally(keep=lambda answered: answered.status != 503)
        answers = Answers()
        first = Tally(keep=lambda answered: answered.status != 200)
        for call, _ in zip(answers.calls(), range(50), strict=False):
            answered = Client(service.port, fresh=True).send(call)
            first.add(answered)
            answers.hear(call, answered.status)
        away()
        with (
            under_load(service.port, endless(good_calls()), away_calls.add, 2, pause_s=0.005),
            under_load(service.port, answers.calls, away_feedback.add, 1, pause_s=0.005),
        ):
            pause(run.many(8, 3))
        run.must(b"degraded" in service.get("/readyz")[1], "/readyz does not say so")
        gone.rename(home)
        client, source = Client(service.port, fresh=True), answers.calls()

        def stored() -> bool:
            answered = client.send(next(source))
            answers.hear(answered.call, answered.status)
            return answered.status == 200

        took = until(stored, "feedback again", 30)
        until(lambda: b"degraded" not in service.get("/readyz")[1], "the database", 30)
        run.must_be_clean(service)
    missing = answers.acknowledged - stored_cards(home)
    run.must(not first.kept, f"before: {first.said()}")
    run.must(not away_calls.kept, f"calls meanwhile: {away_calls.said()}")
    run.must(not away_feedback.kept, f"feedback meanwhile: {away_feedback.said()}")
    run.must(not missing, f"{len(missing)} acknowledged answers are lost")
    run.figure(f"calls meanwhile: {away_calls.said()}, p99 {away_calls.quantile_ms(0.99):.0f} ms")
    run.figure(f"feedback meanwhile: {away_feedback.said()}; stored again after {took:.1f} s")
    run.figure(f"{len(answers.acknowledged)} acknowledged, {len(missing)} lost")


def _postgres(run: Run) -> None:
    programs = postgres_programs()
    if programs is None:
        run.must(
            False, "no PostgreSQL server programs on this machine (apt-get install postgresql)"
        )
        return
    home = run.folder / "cluster"
    home.mkdir()
    for parent in (home, *home.parents):  # its own user must reach it
        if parent.owner() == run.folder.owner() and parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(0o755)
    server = Postgres(programs, home)
    server.start()
    try:
        with serving(run.folder, settings={"DATABASE_URL": server.url}) as service:
            fault = _Fault(server.die, server.start, server.cards)
            _outage(run, service, fault, rounds=run.many(3, 1), seconds=run.many(8, 3))
    finally:
        server.die()


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A disk of 16 MB at ``folder``; False where this process may not mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    mounted = (
        os.geteuid() == 0
        and shutil.which("mount") is not None
        and subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _disk_full(run: Run) -> None:
    home = run.folder / "disk"
    with _small_disk(home) as mounted:
        settings = {"DATABASE_URL": f"sqlite:///{home}/records.db", "LOG_LEVEL": "error"}
        ballast = home / "ballast"

        with serving(run.folder, settings=settings) as service:

            def fill() -> None:
                if not mounted:
                    limit_files(service.worker_pids(), _LARGEST_FILE)
                    return
                with ballast.open("wb", buffering=0) as file:
                    try:
                        while True:
                            file.write(b"x" * 4096)
                    except OSError:
                        return

            def empty() -> None:
                if mounted:
                    ballast.unlink()
                else:
                    limit_files(service.worker_pids(), None)

            fault = _Fault(fill, empty, lambda: stored_cards(home), patience_s=60)
            _outage_of_writes(run, service, fault)
    run.figure("a full disk of 16 MB" if mounted else f"files limited to {_LARGEST_FILE:,} bytes")


_HOLD = (
    "every call gets its cards; feedback is refused with 503 and accepted again afterwards; "
    "no acknowledged answer is lost"
)
ROWS = (
    Row("sqlite-locked", "another process holds SQLite's write lock, under load", _HOLD, _sqlite),
    Row(
        "sqlite-gone",
        "the folder of the SQLite file disappears, all workers are killed, the folder returns",
        _HOLD,
        _unreachable,
    ),
    Row(
        "postgres",
        "PostgreSQL is stopped without a goodbye and started again, three times, under load",
        _HOLD + "; /readyz says degraded meanwhile",
        _postgres,
    ),
    Row(
        "disk-full", "the disk of the database fills up and is freed, under load", _HOLD, _disk_full
    ),
)
