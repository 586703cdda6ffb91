"""Databases, FHIR and key servers unavailable and back: calls go on, nothing stored is lost."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.feedback.conftest import Cluster, cluster
from tests.fhir_client.loopback import Loopback, reply
from tests.testing.serving import until
from tools.faults import calls
from tools.faults.calls import VIEW, FeedbackTally, Signer, good_calls
from tools.faults.conftest import PageRow
from tools.faults.load import Answered, Sender, flaw, send_all

__all__ = ["cluster"]
_OPENED = 'cds_breaker_changes_total{partner="database",server="",state="open"}'
_WITHIN_MS = 5000  # the default of CDS_FHIR_DEADLINE, and slack for a loaded machine


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[tuple[Path, Callable[[], object]]]:
    """A file system of its own, of that size, and a function that fills it; where that is
    impossible, the row is skipped."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount the small disk")

    def fill() -> None:
        with (folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    try:
        yield folder, fill
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _outage(
    row: PageRow, fail: Callable[[], object], back: Callable[[], object], *,
    seconds: float, rounds: int = 1, degraded: bool = True, patience_s: float = 60.0,
    signer: Signer | None = None,
) -> None:  # fmt: skip
    """Have the database fail so many times for so many seconds, under feedback and calls.

    ``degraded``: /readyz must say so; a database that can still be read stays ready.
    ``patience_s``: how long after the failure feedback may still be stored. ``signer``: of the
    calls; none may be delayed, and throughout a token is accepted only once.
    """
    service, recoveries = row.service, []
    feedback = row.tallies.setdefault("feedback", FeedbackTally((200, 503)))
    signed = signer.signed if signer else lambda call: call

    def used_again() -> None:
        if signer:
            statuses = [answer.status for answer in row.send("", signer.signed(), 10, (200, 401))]
            row.must(statuses == [200] + [401] * 9, f"a token used again: {statuses}")

    def one_more(status: int, what: str, patience_s: float) -> float:
        count = feedback.statuses[status]
        return until(lambda: feedback.statuses[status] > count, what, patience_s)

    with (
        row.load("calls", signer.calls() if signer else good_calls(), 2) as cards,
        row.load("feedback", map(signed, feedback.calls()), 2, feedback),
    ):
        time.sleep(2)
        for _ in range(rounds):
            fail()
            try:
                one_more(503, "a refusal", patience_s)
                row.must(not degraded or service.degraded(), "/readyz does not say so")
                row.must(service.says("/healthz"), "/healthz does not answer")
                used_again()
                time.sleep(seconds)
            finally:
                back()
            recoveries.append(one_more(200, "feedback again", 30))
            until(lambda: not service.degraded(), "the database", 30)
            used_again()
            time.sleep(1)
    row.figure(f"slowest refusal {feedback.refusal_s:.1f} s; stored again {max(recoveries):.1f} s "
               "after the return")  # fmt: skip
    if signer:
        row.must(cards.quantile_ms(1) < 1500, f"delayed: {cards}")
        row.must(_OPENED in service.says("/metrics"), "no breaker opened at /metrics")
    row.must_be_stored(feedback)


def test_signed_calls_and_a_locked_database(row: PageRow) -> None:
    """another process holds SQLite's write lock, under signed calls and feedback

    every call gets its cards, and none is delayed by more than a second; a token is accepted once,
    by one of the workers; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost; /metrics shows the breaker
    """
    signer = Signer("https://north.example")
    how = {"isolation_level": None, "check_same_thread": False}
    with row.serving(signer), closing(sqlite3.connect(row.folder / "records.db", **how)) as line:
        lock, release = (
            partial(line.execute, statement) for statement in ("BEGIN IMMEDIATE", "ROLLBACK")
        )
        how = {"seconds": row.many(15, 5), "degraded": False, "signer": signer}
        _outage(row, lock, release, **how)


@pytest.mark.postgres
def test_signed_calls_and_a_stopped_database(row: PageRow, cluster: Cluster) -> None:
    """every process of PostgreSQL is stopped (SIGSTOP), under signed calls and feedback

    every call gets its cards, and none is delayed by more than a second; a token is accepted once,
    by one of the workers; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost; /metrics shows the breaker
    """
    lines = psutil.net_connections("tcp")
    (server,) = {line.pid for line in lines if line.pid and line.status == psutil.CONN_LISTEN
                 and line.laddr.port == cluster.port}  # fmt: skip
    main, signer = psutil.Process(server), Signer("https://north.example")

    def tell(number: int) -> None:
        for process in [*main.children(recursive=True), main]:
            process.send_signal(number)

    stop, go_on = partial(tell, signal.SIGSTOP), partial(tell, signal.SIGCONT)
    with row.serving(signer, DATABASE_URL=cluster.url):
        _outage(row, stop, go_on, seconds=row.many(15, 5), signer=signer)


def test_sqlite_gone(row: PageRow) -> None:
    """the folder of the SQLite file disappears, all workers are killed, and the folder returns

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost; /readyz reports degraded meanwhile
    """
    home, gone = row.folder / "home", row.folder / "gone"
    home.mkdir()
    feedback = row.tallies["feedback"] = FeedbackTally((200, 503))
    with row.serving(DATABASE_URL=f"sqlite:///{home}/records.db") as service:
        send_all(itertools.islice(feedback.calls(), 50), service.port, feedback)
        row.must(feedback.statuses == {200: 50}, f"before: {feedback.in_words()}")
        home.rename(gone)
        before = service.started
        for worker in service.worker_processes():
            row.kill(worker)
        until(lambda: service.started >= before + 2, "new workers")
        until(lambda: bool(service.says("/healthz")), "an answer")
        # Load starts only now that it is gone: killed workers lose their connections.
        _outage(row, lambda: None, lambda: gone.rename(home), seconds=row.many(8, 3))


def test_postgres(row: PageRow, cluster: Cluster) -> None:
    """PostgreSQL is stopped without warning and started again, three times, under load

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost; /readyz reports degraded meanwhile
    """
    stop, rounds = (lambda: cluster.stop("immediate")), row.many(3, 1)
    with row.serving(DATABASE_URL=cluster.url):
        how = {"rounds": rounds, "seconds": row.many(8, 3), "patience_s": 15}
        _outage(row, stop, cluster.start, **how)


def test_disk_full(row: PageRow) -> None:
    """the disk of the database (16 MB) fills up and is freed, under load

    every call gets its cards; feedback is refused with 503 and accepted again afterwards; no
    acknowledged answer is lost
    """
    with (
        small_disk(row.folder / "disk", 16) as (home, fill),
        row.serving(DATABASE_URL=f"sqlite:///{home}/records.db", LOG_LEVEL="error"),
    ):
        free = (home / "ballast").unlink
        _outage(row, fill, free, seconds=row.many(15, 3), degraded=False)


def test_fhir_server(row: PageRow) -> None:
    """calls without prefetch while the FHIR server dies, returns, takes 10 s, and dies again

    every call is answered within the deadline of 3 s and 2 s of slack: with cards, or with a 412
    that says that nothing could be obtained; cards come again within 3 s of the return; others are
    served
    """
    request, delay_s = json.loads(good_calls(VIEW)[0].body), 0.0
    answer = calls.fhir_server_with(request["prefetch"])
    with Loopback(lambda request: [delay_s, answer(request)]) as server:
        asking = calls.without_prefetch(server.url, of=request["context"]["patientId"])

        def wait_for_cards(times: int) -> float:
            """Seconds until so many calls in a row get cards."""
            client = Sender(row.service.port, fresh=True)
            return until(
                lambda: all(client.send(asking).status == 200 for _ in range(times)), "cards"
            )

        settings = {"FHIR_SERVERS": server.url, "FHIR_OPEN": "1"}
        with row.serving(**settings), row.load("others", good_calls(), 2):
            for state in ("up", "dead", "back", "slow", "dead while slow", "back again"):
                delay_s = 10.0 if state == "slow" else 0.0
                if state.startswith("dead"):
                    server.die()
                elif state.startswith("back"):
                    server.return_()
                    returned = wait_for_cards(1)
                    # Each worker leaves a server that did not answer alone for a while.
                    everywhere = returned + wait_for_cards(20)
                    text = f"{state}: cards after {returned:.1f} s, from every worker after "
                    row.figure(f"{text}{everywhere:.1f} s", returned < 3)
                    time.sleep(1.5)  # by then the other worker has tried it again, too
                how = {"right": lambda answered: not flaw(answered), "pause_s": 0.01}
                tally = row.loaded(row.many(12, 5), state, (asking,), **how)
                row.must(tally.quantile_ms(1) < _WITHIN_MS, f"{state}: {tally}")
                if state in ("up", "back"):
                    row.must(tally.statuses[200] == tally.total, f"{state}: {tally}")
            row.must(tally.statuses[200] > 0, "back again: no cards")


def test_key_server(row: PageRow) -> None:
    """signed calls while the client's key server (jku) dies, a worker is killed, and it returns

    known keys are still accepted; a new worker refuses (401) what it cannot verify; everything is
    accepted after the return; clients with listed keys notice nothing but the kill
    """
    lost: list[str] = []  # over the connection to the worker that is killed

    def noticed_nothing(answered: Answered) -> bool:
        lost.extend([answered.lost] if answered.lost else ())
        return answered.status == 200 or (bool(answered.lost) and len(lost) == 1)

    def phase(name: str, right: tuple[int, ...] = (200,)) -> None:
        seconds = row.many(6, 3)
        row.loaded(seconds, name, fetched.calls(), 2, right, fresh=True, pause_s=0.01)

    with Loopback(lambda _asked: [reply(fetched.key_set)]) as server:
        inline = Signer("https://inline.example")
        fetched = Signer("https://fetched.example", jku=f"{server.origin}/jwks.json")
        with (
            row.serving(inline, fetched, key_retry_s=3 if row.quick else None) as service,
            row.load("clients with listed keys", inline.calls(), 1, noticed_nothing, pause_s=0.01),
        ):
            phase("up")
            server.die()
            phase("dead, keys known")
            before = service.started
            row.kill(service.worker_processes()[0])
            until(lambda: service.started > before, "a new worker")
            phase("dead, one worker new", (200, 401))
            server.return_()
            client, more = Sender(service.port, fresh=True), fetched.calls()
            took = until(
                lambda: all(client.send(next(more)).status == 200 for _ in range(20)),
                "acceptance by all workers", 90,
            )  # fmt: skip
            phase("back")
    retried = "with the retry of 60 s shortened to 3 s" if row.quick else "it asks once a minute"
    row.figure(f"accepted by every worker {took:.0f} s after the return ({retried})")
