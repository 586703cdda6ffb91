"""The faults that attackers found, each as a row: what once stopped the service does not."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.feedback.conftest import Cluster, cluster
from tests.fhir_client.loopback import FOREVER, Loopback, reply
from tests.testing import fhir
from tests.testing.serving import HOST, Service, serving
from tools.faults import attacks
from tools.faults.calls import FEEDBACK, VIEW, Signer, client_list, good_calls, view
from tools.faults.conftest import Row
from tools.faults.health import watched
from tools.faults.load import Answered, Call, Client, Tally, under_load

__all__ = ["cluster"]
_GOOD = tuple(one for one in good_calls() if one.path == VIEW)


def _timed(port: int, call: Call, times: int = 1) -> list[Answered]:
    client = Client(port, fresh=True)
    return [client.send(call) for _ in range(times)]


def _slowest(answers: list[Answered]) -> float:
    return max(one.seconds for one in answers)


def test_bodies_without_end(row: Row) -> None:
    """a text of escaped quotes that never ends, 48 kB and 192 kB, as call and as feedback

    400 within 0.3 s each; others are served
    """
    others = Tally()
    with serving(row.folder) as service, under_load(service.port, _GOOD, others, 1, pause_s=0.05):
        found = {}
        for path in (VIEW, FEEDBACK):
            for size in (48_000, 192_000):
                body = b'{"a":"' + b'\\"' * (size // 2)
                answers = _timed(service.port, Call(path, body), row.many(10, 3))
                slowest = found[
                    f"{size // 1000} kB to {'feedback' if path == FEEDBACK else 'calls'}"
                ] = _slowest(answers)
                row.must({one.status for one in answers} == {400}, f"{path} {size}: not 400")
                row.must(slowest < 0.3, f"{path}, {size} bytes: {slowest:.2f} s")
        row.must_be_clean(service)
    row.must_be_right("others", others)
    row.figure("; ".join(f"{name}: {seconds * 1000:.0f} ms" for name, seconds in found.items()))
    row.figure(f"others: {others}")


def test_strangers(row: Row) -> None:
    """1,100 connections without a token that send a head and one byte, beside signed calls

    signed calls are answered, /healthz within 100 ms; the strangers get 401 without their body
    being read
    """
    count, seconds = row.many(1100, 260), row.many(20, 5)
    signer, others = Signer("https://north.example"), Tally()
    settings = {"TRUSTED_CLIENTS": client_list(row.folder, signer)}
    with serving(row.folder, settings=settings) as service:
        source = attacks.endless(signer, *_GOOD)
        with attacks.strangers(service.port, count) as lines:
            with (
                under_load(service.port, source, others, 2, pause_s=0.05),
                watched(service.port) as health,
            ):
                time.sleep(seconds)
            told = 0
            for line in lines:
                line.settimeout(0.5)
                try:
                    told += line.recv(12).startswith(b"HTTP/1.1 401")
                except OSError:
                    continue
        row.must_be_clean(service)
    row.must_be_right("signed calls", others)
    row.must(others.total > seconds, f"{others.total} signed calls in {seconds} s")
    row.must(told == count, f"{told} of {count} strangers were told 401")
    row.must(health.in_time, str(health))
    row.figure(f"{count} strangers for {seconds} s, {told} told 401; signed calls: {others}; "
               f"{health}")  # fmt: skip


def test_distinct_texts(row: Row) -> None:
    """30 valid calls of 14 MB, each of 700 long codes that never came before, and as many of 2,000
    short names

    each answered 200; the workers' memory comes back to within 60 MB
    """
    with serving(row.folder, workers=1) as service:
        _timed(service.port, _GOOD[0], 50)
        _timed(service.port, attacks.with_texts([f"first {n}" for n in range(1000)]), 3)
        before = _resident(service)
        answers = []
        for turn in range(row.many(30, 8)):
            texts = [f"{turn} {number} ".ljust(20_000, "n") for number in range(700)]
            answers += _timed(service.port, attacks.with_texts(texts, as_codes=True))
            texts = [f"{turn} {number} Zyxwvut, Mary".ljust(90, "n") for number in range(2000)]
            answers += _timed(service.port, attacks.with_texts(texts))
        after = _resident(service)
        row.must_be_clean(service)
    row.must({one.status for one in answers} == {200}, "not all 200")
    row.must(after - before < 60, f"a worker grew from {before:.0f} to {after:.0f} MB")
    row.figure(f"{len(answers)} calls; worker {before:.0f} MB before, {after:.0f} MB after; "
               f"slowest {_slowest(answers):.2f} s")  # fmt: skip


def _resident(service: Service) -> float:
    return attacks.resident_mb([one.pid for one in service.worker_processes()])


def _signed_while(
    row: Row, stall: Callable[[], object], release: Callable[[], object], settings: dict[str, str]
) -> None:
    """Signed calls before, while the database does not answer, and after."""
    signer = Signer("https://north.example")
    settings |= {"TRUSTED_CLIENTS": client_list(row.folder, signer)}
    tallies = {when: Tally() for when in ("before", "while", "after")}
    with serving(row.folder, settings=settings) as service:
        for when, tally in tallies.items():
            if when == "while":
                stall()
            elif when == "after":
                release()
            source = attacks.endless(signer, *_GOOD)
            with under_load(service.port, source, tally, 4, pause_s=0.1):
                time.sleep(row.many(15, 5))
                again = [one.status for one in _timed(service.port, signer.call(), 10)]
            row.must(again == [200] + [401] * 9, f"{when}: a token used again: {again}")
        figures = service.says("/metrics")
        row.must_be_clean(service)
    for when, tally in tallies.items():
        row.must_be_right(when, tally)
        slowest = tally.quantile_ms(1) / 1000
        row.must(slowest < 1.5, f"{when}: a signed call took {slowest:.1f} s")
        row.figure(f"{when}: {tally}, slowest {slowest:.2f} s")
    opened = 'cds_breaker_changes_total{partner="database",server="",state="open"}' in figures
    row.must(opened, "no breaker opened at /metrics")


def test_signed_calls_and_a_locked_database(row: Row) -> None:
    """signed calls while another process holds SQLite's write lock

    every call is answered 200; none is delayed by more than a second; a token is good once for both
    workers; /metrics shows the breaker
    """
    locks: list[sqlite3.Connection] = []

    def stall() -> None:
        line = sqlite3.connect(row.folder / "records.db", timeout=30, isolation_level=None,
                               check_same_thread=False)  # fmt: skip
        line.execute("BEGIN IMMEDIATE")
        locks.append(line)

    def release() -> None:
        locks[0].execute("ROLLBACK")
        locks[0].close()

    _signed_while(row, stall, release, {})


@pytest.mark.postgres
def test_signed_calls_and_a_stopped_database(row: Row, cluster: Cluster) -> None:
    """signed calls while every process of PostgreSQL is stopped (SIGSTOP)

    every call is answered 200; none is delayed by more than a second; a token is good once for both
    workers; /metrics shows the breaker
    """
    server = next(
        one.pid
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == cluster.port and one.pid
    )

    def tell(number: int) -> None:
        main = psutil.Process(server)
        for one in [*main.children(recursive=True), main]:
            one.send_signal(number)

    try:
        _signed_while(
            row, lambda: tell(signal.SIGSTOP), lambda: tell(signal.SIGCONT),
            {"DATABASE_URL": cluster.url},
        )  # fmt: skip
    finally:
        tell(signal.SIGCONT)


def test_hung_fhir_server(row: Row) -> None:
    """eight connections of a tenant whose FHIR server takes the query and never answers, beside a
    tenant whose server works, both without prefetch

    the other tenant gets its cards as without them; the breaker spares the first one the wait, and
    its server is used again within 3 s of its return
    """
    hanging = [True]

    def answer(asked: Any) -> Any:
        return [reply(fhir.patient() if "/Patient/" in asked.target else fhir.searchset())]

    def hang(asked: Any) -> Any:
        return [FOREVER] if hanging[0] else answer(asked)

    north, south = Signer("https://north.example"), Signer("https://south.example")
    stuck, others, alone = Tally((200, 412)), Tally(), Tally()
    granted = {"access_token": "x", "token_type": "Bearer", "expires_in": 300,
               "scope": "patient/*.read", "subject": "x"}  # fmt: skip
    with Loopback(hang) as hung, Loopback(answer) as working, ExitStack() as load:
        bases = [f"http://{HOST}:{one.server_address[1]}/fhir" for one in (hung, working)]
        for signer, base in zip((north, south), bases, strict=True):
            signer.entry["fhir_servers"] = [base]
        calls = [view(None, fhirServer=base, fhirAuthorization=granted) for base in bases]
        settings = {"TRUSTED_CLIENTS": client_list(row.folder, north, south)}
        service = load.enter_context(serving(row.folder, workers=1, settings=settings))
        seconds = row.many(20, 8)
        source = attacks.endless(south, calls[1])
        with under_load(service.port, source, alone, 1, pause_s=0.1):
            time.sleep(5)
        with (
            under_load(service.port, attacks.endless(north, calls[0]), stuck, 8, pause_s=0.05),
            under_load(service.port, attacks.endless(south, calls[1]), others, 1, pause_s=0.1),
        ):
            time.sleep(seconds)
        figures = service.says("/metrics")
        hanging[0] = False
        client, started = Client(service.port), time.monotonic()
        while client.send(attacks.signed(north, calls[0])).status != 200:
            if time.monotonic() - started > 10:
                break
            time.sleep(0.1)
        back = time.monotonic() - started
        row.must_be_clean(service)
    row.must_be_right("the other tenant", others)
    row.must(others.quantile_ms(0.99) < 1000, f"the other tenant: {others}")
    row.must(back < 3, f"used again only {back:.1f} s after its return")
    opened = f'cds_breaker_open{{partner="fhir",server="{bases[0]}"}} 1.0' in figures
    row.must(opened, "no breaker open at /metrics")
    row.figure(f"the other tenant: {others} (alone {alone}); the first: {stuck}, p50 "
               f"{stuck.quantile_ms(0.5):.0f} ms; used again after {back:.1f} s")  # fmt: skip


def test_six_large_bodies(row: Row) -> None:
    """six bodies of 17 MB at once, again and again

    /healthz answers within 100 ms all the while; others are answered; bodies get 200, 429 or 503
    """
    large = attacks.padded(17_000_000)
    others, bodies = Tally((200, 429, 503)), Tally((200, 429, 503))
    with serving(row.folder) as service:
        with (
            under_load(service.port, (large,), bodies, 6, fresh=True),
            under_load(service.port, _GOOD, others, 1, pause_s=0.1),
            watched(service.port) as health,
        ):
            time.sleep(row.many(20, 6))
        row.must_be_clean(service)
    row.must_be_right("bodies", bodies)
    row.must_be_right("others", others)
    row.must(health.in_time, str(health))
    row.figure(f"bodies: {bodies}; others: {others}; {health}")


def test_full_temporary_folder(row: Row) -> None:
    """the temporary folder is full, and a worker is killed so that another starts in it

    every call is answered; no worker dies of it
    """
    small = row.folder / "tmp"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(small)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system of its own can only be mounted by root")
    tally, before = Tally(), Tally()
    old = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(small)
    try:
        with serving(row.folder) as service:
            with under_load(service.port, good_calls(), before, 2):
                time.sleep(1)
            workers = [one.pid for one in service.worker_processes()]
            with (small / "full").open("wb", buffering=0) as full, suppress(OSError):
                while True:
                    full.write(b"x" * 4096)
            with under_load(service.port, good_calls(), tally, 2):
                time.sleep(row.many(8, 3))
            row.must([one.pid for one in service.worker_processes()] == workers, "a worker died")
            service.worker_processes()[0].kill()
            time.sleep(2)
            later = Tally()
            with under_load(service.port, good_calls(), later, 2):
                time.sleep(row.many(8, 3))
            spawned = service.log.count("Spawning worker-")
            row.must(spawned == len(workers) + 1, f"{spawned} workers were started in all")
            said = service.says("/metrics")
            row.must_be_clean(service)
    finally:
        os.environ.pop("TMPDIR") if old is None else os.environ.update(TMPDIR=old)
        subprocess.run(["umount", "-l", str(small)], check=False, capture_output=True)
    row.must_be_right("calls", tally)
    row.must_be_right("calls after a kill", later)
    row.figure(f"calls: {tally}; after a worker was killed: {later}; /metrics of "
               f"{len(said):,} bytes")  # fmt: skip


def test_names_and_spaces(row: Row) -> None:
    """names of products: 71 kB with runs of spaces, 221 kB of "mg", and 2 MB of 1,000 texts

    each within 1.5 s of processor time; past the budget of a call a card says that a list was not
    read in full
    """
    # How many names, and what each is after a number of its own.
    forms = {
        "71 kB of names and spaces": (145, f"1{' ' * 480}x"),
        "221 kB of mg": (111, "mg " * 660),
        "2 MB of texts": (1000, "mg " * 640),
    }
    found, said = [], {}
    with serving(row.folder, workers=1) as service:
        worker, times = service.worker_processes()[0], row.many(5, 2)
        for name, (count, form) in forms.items():
            calls = [
                attacks.with_products([f"{turn} {number} {form}" for number in range(count)])
                for turn in range(times)
            ]
            before = sum(worker.cpu_times()[:2])
            answers = [_timed(service.port, call)[0] for call in calls]
            spent = (sum(worker.cpu_times()[:2]) - before) / times
            row.must({one.status for one in answers} == {200}, f"{name}: not 200")
            row.must(spent < 1.5, f"{name}: {spent:.2f} s")
            found.append(f"{name}: {spent:.2f} s of processor time, {_slowest(answers):.2f} s")
            said[name] = b"more text than is read" in answers[0].body
        row.must_be_clean(service)
    row.must(said["2 MB of texts"], "no card says that the texts were too much")
    row.figure("; ".join(found))


def test_bytes_in_flight(row: Row) -> None:
    """36 bodies of 31 MB at once, then calls whose FHIR server answers with pages of 20 MB

    the service's memory stays below 1 GB and comes back; who is over a limit is told 429 or 503
    """
    large = attacks.padded(31_000_000)
    page = reply(fhir.searchset(*({"resourceType": "Observation", "id": f"o{n}", "note": "n" * 900}
                                  for n in range(20_000))))  # fmt: skip
    bodies, fetches = Tally((200, 429, 503)), Tally((200, 412, 413, 429, 503))
    peak = [0.0]
    ended = threading.Event()
    with Loopback(lambda _asked: [page]) as server:
        base = f"http://{HOST}:{server.server_address[1]}/fhir"
        settings = {"FHIR_SERVERS": base, "FHIR_OPEN": "1"}
        with serving(row.folder, settings=settings) as service:

            def watch() -> None:
                while not ended.wait(0.05):
                    sizes = [one.memory_info().rss for one in service.worker_processes()]
                    peak.append(sum(sizes) / 1e6)

            _timed(service.port, _GOOD[0], 20)
            workers = service.worker_processes()
            before = sum(one.memory_info().rss for one in workers) / 1e6
            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            with under_load(service.port, (large,), bodies, 36, fresh=True, pause_s=1):
                time.sleep(row.many(12, 5))
            after_bodies = max(peak)
            asking = view(None, fhirServer=base)
            with under_load(service.port, (asking,), fetches, 8, fresh=True):
                time.sleep(row.many(12, 5))
            ended.set()
            watcher.join()
            time.sleep(4)  # what was given up at its deadline ends
            _timed(service.port, _GOOD[0], 20)
            after = sum(one.memory_info().rss for one in service.worker_processes()) / 1e6
            row.must(service.worker_processes() == workers, "a worker died")
            row.must_be_clean(service)
    row.must_be_right("bodies", bodies)
    row.must_be_right("fetches", fetches)
    row.must(max(peak) < 1000, f"{max(peak):.0f} MB at the most")
    row.must(after - before < 150, f"{before:.0f} MB became {after:.0f} MB")
    row.figure(f"both workers: {before:.0f} MB before, {after_bodies:.0f} MB at the most under "
               f"bodies, {max(peak):.0f} MB under fetches, {after:.0f} MB afterwards; bodies: "
               f"{bodies.said()}; fetches: {fetches.said()}")  # fmt: skip


def test_floods_of_feedback(row: Row) -> None:
    """feedback bodies of up to 10 MB: thousands of answers with 50 suggestions each or with long
    comments, beyond the limits and just within them

    each answered within a second, 413 or 200; the database grows by less than ten times the bytes
    that were accepted
    """
    many = row.many(4000, 2000)
    calls = {
        "suggestions": attacks.many_answers(many),
        "comments": attacks.many_answers(300, 1, "x" * 4000),
        "suggestions within the limits": attacks.many_answers(300),
        "comments within the limits": attacks.many_answers(200, 1, "x" * 4000),
    }
    accepted = 0
    with serving(row.folder) as service:
        size = _size(row.folder)
        for name, call in calls.items():
            answers = _timed(service.port, call, 3)
            right = 200 if "within" in name else 413
            row.must({one.status for one in answers} == {right}, f"{name}: {answers[0].status}")
            row.must(_slowest(answers) < 1, f"{name}: {_slowest(answers):.2f} s")
            row.figure(f"{len(call.body) / 1e6:.1f} MB of {name}: {answers[0].status} in "
                       f"{_slowest(answers):.2f} s")  # fmt: skip
            accepted += sum(len(call.body) for one in answers if one.status == 200)
        grown = _size(row.folder) - size
        row.must_be_clean(service)
    row.must(grown < 10 * accepted, f"the database grew by {grown / 1e6:.0f} MB")
    row.figure(f"{accepted / 1e6:.1f} MB accepted, the database grew by {grown / 1e6:.1f} MB")


def _size(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "records.db")) as kept:
        kept.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return sum(one.stat().st_size for one in folder.glob("records.db*"))
