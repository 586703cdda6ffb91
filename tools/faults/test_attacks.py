"""The faults that attackers found, each as a row: what once stopped the service no longer does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.fhir_client.loopback import FOREVER, Loopback, reply
from tests.testing import fhir
from tests.testing.serving import until
from tools.faults import calls
from tools.faults.calls import FEEDBACK, VIEW, Signer, good_calls
from tools.faults.conftest import PageRow
from tools.faults.load import CallTally, Post, Sender, send_all
from tools.faults.test_outages import small_disk

_GOOD = good_calls(VIEW)
_REFUSED = (200, 429, 503)


def test_bodies_without_end(row: PageRow) -> None:
    """a text of escaped quotes that never ends, 48 kB and 192 kB, as call and as feedback

    each gets 400 within 0.3 s; others are served
    """
    with row.serving(), row.load("others", _GOOD, 1, pause_s=0.05):
        for path, kind in ((VIEW, "calls"), (FEEDBACK, "feedback")):
            for size in (48, 192):
                body = b'{"a":"' + b'\\"' * (size * 500)
                times = row.many(10, 3)
                row.send(f"{size} kB to {kind}", Post(path, body), times, (400,), within_s=0.3)


def test_strangers(row: PageRow) -> None:
    """1,100 connections without a token that send a head and one byte, beside signed calls

    signed calls are answered, and /healthz within 100 ms; the strangers get 401, and their bodies
    are not read
    """
    count, seconds = row.many(1100, 260), row.many(20, 5)
    signer = Signer("https://north.example")
    with (
        row.serving(signer) as service,
        calls.strangers(service.port, count) as lines,
    ):
        with row.load("signed calls", signer.calls(), 2, pause_s=0.05) as others:
            row.healthy_for(seconds)
        for line in lines:
            line.settimeout(0.5)
        refused = sum(calls.status_on(line) == 401 for line in lines)
    row.must(others.total > seconds, f"{others.total} signed calls in {seconds} s")
    row.figure(f"{count} strangers for {seconds} s, {refused} told 401", refused == count)


def test_distinct_texts(row: PageRow) -> None:
    """30 valid calls of 14 MB, each of 700 long codes that are new every time, and as many of
    2,000 short names

    each is answered with 200; the memory of the workers grows by less than 60 MB
    """
    tally = row.tallies["calls"] = CallTally()
    with row.serving(workers=1) as service:
        row.send("", _GOOD[0], 50)
        row.send("", calls.with_texts(*(f"first {n}" for n in range(1000))), 3)
        (before,) = row.service.memory_mb()
        for turn in range(row.many(30, 8)):
            codes = (f"{turn} {number} ".ljust(20_000, "n") for number in range(700))
            coded = (fhir.condition(None, ("urn:x", code)) for code in codes)
            texts = (f"{turn} {number} Zyxwvut, Mary".ljust(90, "n") for number in range(2000))
            bodies = calls.holding("conditions", *coded), calls.with_texts(*texts)
            send_all(bodies, service.port, tally, connections=1)
        (after,) = row.service.memory_mb()
    row.figure(f"worker {before:.0f} MB before, {after:.0f} MB after", after - before < 60)


def test_hung_fhir_server(row: PageRow) -> None:
    """eight connections of a tenant whose FHIR server takes the query and never answers, beside a
    tenant whose server works, both without prefetch

    the other tenant gets its cards as before; the circuit breaker spares the first one the wait,
    and its server is used again within 3 s of its return
    """
    hangs, answer = True, calls.fhir_server_with({"patient": fhir.patient()})
    with (
        Loopback(lambda request: [FOREVER if hangs else answer(request)]) as hung,
        Loopback(lambda request: [answer(request)]) as working,
    ):
        bases = (hung.url, working.url)
        tenants = [Signer(f"{base}/tenant", fhir_servers=[base]) for base in bases]
        stuck, others = (
            tenant.calls(calls.without_prefetch(base))
            for tenant, base in zip(tenants, bases, strict=True)
        )
        with row.serving(*tenants, workers=1) as service:
            row.loaded(5, "the other tenant alone", others, 1, pause_s=0.1)
            with row.load("the first tenant", stuck, 8, (200, 412), pause_s=0.05):
                other = row.loaded(row.many(20, 8), "the other tenant", others, 1, pause_s=0.1)
            figures = service.says("/metrics")
            hangs = False
            client = Sender(service.port, fresh=True)
            back = until(lambda: client.send(next(stuck)).status == 200, "the first tenant", 10)
    row.must(other.quantile_ms(0.99) < 1000, f"the other tenant: {other}")
    opened = f'cds_breaker_open{{partner="fhir",server="{bases[0]}"}} 1.0' in figures
    row.must(opened, "no breaker open at /metrics")
    row.figure(f"the first tenant's server is used again after {back:.1f} s", back < 3)


def test_six_large_bodies(row: PageRow) -> None:
    """six bodies of 17 MB at once, again and again

    /healthz answers within 100 ms all the while; others are answered; bodies get 200, 429 or 503
    """
    large = (calls.padded(17_000_000),)
    with (
        row.serving(),
        row.load("bodies", large, 6, _REFUSED, fresh=True),
        row.load("others", _GOOD, 1, _REFUSED, pause_s=0.1),
    ):
        row.healthy_for(row.many(20, 6))


def test_full_temporary_folder(row: PageRow, monkeypatch: pytest.MonkeyPatch) -> None:
    """the temporary folder is full, and a worker is killed so that another starts in it

    every call is answered; no worker dies because of it
    """
    with small_disk(row.folder / "tmp", 8) as (small, fill):
        monkeypatch.setenv("TMPDIR", str(small))
        seconds = row.many(8, 3)
        with row.serving() as service:
            row.loaded(1, "calls before", good_calls(), 2)
            fill()
            row.loaded(seconds, "calls", good_calls(), 2)
            row.kill(service.worker_processes()[0])
            time.sleep(2)
            row.loaded(seconds, "after a worker was killed", good_calls(), 2)
            row.figure(f"/metrics of {len(service.says('/metrics')):,} bytes")


def test_names_and_spaces(row: PageRow) -> None:
    """names of products: 71 kB with runs of spaces, 221 kB of "mg", and 2 MB of 1,000 texts

    each takes less than 1.5 s of processor time; beyond the budget of a call, a card says that a
    list was not read in full
    """
    # How many names, and what follows the number that each begins with.
    forms = {
        "71 kB of names and spaces": (145, f"1{' ' * 480}x"),
        "221 kB of mg": (111, "mg " * 660),
        "2 MB of texts": (1000, "mg " * 640),
    }
    with row.serving(workers=1) as service:
        (worker,), times = service.worker_processes(), row.many(5, 2)
        for name, (count, form) in forms.items():
            before = sum(worker.cpu_times()[:2])
            for turn in range(times):
                names = (f"{turn} {number} {form}" for number in range(count))
                (answer,) = row.send("", calls.with_products(*names))
            spent = (sum(worker.cpu_times()[:2]) - before) / times
            text = f"{name}: {spent:.2f} s of processor time, {answer.seconds:.2f} s"
            row.figure(text, spent < 1.5)
    is_told = b"more text than is read" in answer.body
    row.must(is_told, "no card says that the texts were too much")


def test_bytes_in_flight(row: PageRow) -> None:
    """36 bodies of 31 MB at once, then calls whose FHIR server answers with pages of 20 MB

    the memory of the service stays below 1 GB and falls again; calls over a limit get 429 or 503
    """
    large, seconds = (calls.padded(31_000_000),), row.many(12, 5)
    page = reply(fhir.searchset(*({"resourceType": "Observation", "id": f"o{n}", "note": "n" * 900}
                                  for n in range(20_000))))  # fmt: skip
    with (
        Loopback(lambda _asked: [page]) as server,
        row.serving(FHIR_SERVERS=server.url, FHIR_OPEN="1") as service,
    ):
        row.send("", _GOOD[0], 20)
        before = sum(service.memory_mb())
        row.loaded(seconds, "bodies", large, 36, _REFUSED, fresh=True, pause_s=1)
        under_bodies = sum(row.service.memory_mb("VmHWM"))
        asking = (calls.without_prefetch(server.url),)
        row.loaded(seconds, "fetches", asking, 8, (*_REFUSED, 412, 413), fresh=True)
        peak = sum(row.service.memory_mb("VmHWM"))
        time.sleep(4)  # what was given up at its deadline ends by then
        row.send("", _GOOD[0], 20)
        after = sum(row.service.memory_mb())
    text = f"both workers: {before:.0f} MB before, {under_bodies:.0f} MB at the most under bodies, "
    text += f"{peak:.0f} MB under fetches, {after:.0f} MB afterwards"
    row.figure(text, peak < 1000 and after - before < 150)


def test_floods_of_feedback(row: PageRow) -> None:
    """feedback bodies of up to 10 MB: thousands of answers with 50 suggestions each or with long
    comments, beyond the limits and just within them

    each answered within a second, 413 or 200; the database grows by less than ten times the bytes
    that were accepted
    """
    floods = (
        ("suggestions", 413, calls.many_answers(row.many(4000, 2000))),
        ("comments", 413, calls.many_answers(300, 1, "x" * 4000)),
        ("suggestions within the limits", 200, calls.many_answers(300)),
        ("comments within the limits", 200, calls.many_answers(200, 1, "x" * 4000)),
    )
    accepted = 0
    with row.serving():
        size = _size(row.folder)
        for name, right, call in floods:
            text = f"{len(call.body) / 1e6:.1f} MB of {name}"
            answers = row.send(text, call, 3, (right,), within_s=1)
            accepted += sum(len(call.body) for answer in answers if answer.status == 200)
        grown = _size(row.folder) - size
    text = f"{accepted / 1e6:.1f} MB accepted, the database grew by {grown / 1e6:.1f} MB"
    row.figure(text, grown < 10 * accepted)


def _size(folder: Path) -> int:
    """Including what SQLite has not yet moved from its log into the database."""
    return sum(file.stat().st_size for file in folder.glob("records.db*"))
