"""Workers killed, their memory over many calls, SIGTERM, a rolling restart, and half an hour of
hostile and honest callers together."""

from __future__ import annotations

import itertools
import json
import math
import random
import statistics
import threading
import time
from contextlib import ExitStack, suppress

from tests.fhir_client.loopback import FOREVER, Loopback
from tests.testing.serving import serving, until
from tools.faults import calls
from tools.faults.calls import VIEW, FeedbackTally, Signer, good_calls, view
from tools.faults.conftest import PageRow
from tools.faults.load import Answered, CallTally, Post, send_all

_FLAT_MB = 10.0
_AT_ONCE_S = 1.0
_P99_MS = 250
_GROWN_MB = 150
_STRANGERS = 60


def test_workers_killed(row: PageRow) -> None:
    """kill -9 of a random worker, fifteen times, under calls and feedback

    each is replaced; only calls on connections to the killed worker fail; no acknowledged answer
    is lost; the exit status is 0
    """
    draw, kills, recoveries = random.Random(row.seed), [-math.inf], []

    def right(answered: Answered) -> bool:
        """A lost call was under way at a kill, or was sent to the dead worker right after it."""
        at_once = (
            answered.at - _AT_ONCE_S < kill < answered.at + answered.seconds for kill in kills
        )
        return answered.status == 200 or (bool(answered.lost) and any(at_once))

    feedback = FeedbackTally(right)
    with row.serving() as service:
        with (
            row.load("calls", good_calls(), 4, right, pause_s=0) as cards,
            row.load("feedback", feedback.calls(), 2, feedback, pause_s=0),
        ):
            time.sleep(2)
            for _ in range(row.many(15, 5)):
                before = service.started
                kills.append(time.monotonic())
                row.kill(draw.choice(service.worker_processes()))
                recoveries.append(until(lambda n=before: service.started > n, "a new worker"))
                time.sleep(3)
        row.must_be_healthy(service)
        row.must(service.stop() == 0, "the exit status is not 0")
    failed, count = cards.statuses[0] + feedback.statuses[0], len(recoveries)
    row.figure(f"{count} kills; a new worker takes calls within {max(recoveries):.2f} s")
    text = f"{failed} calls failed ({failed / count:.1f} a kill, of 6 connections)"
    row.figure(text, failed <= 6 * count)
    row.must_be_stored(feedback)


def test_memory(row: PageRow) -> None:
    """100,000 calls of all scenarios

    every answer is 200; after the first fifth no worker grows by 10 MB or more
    """
    steps, each = 20, row.many(5_000, 500)
    samples, source = [], itertools.cycle(good_calls())
    tally = row.tallies["calls"] = CallTally()
    with row.serving(LOG_LEVEL="error") as service:
        for _ in range(steps):
            send_all(itertools.islice(source, each), service.port, tally)
            samples.append(row.service.memory_mb())
    # The first fifth fills caches and starts threads.
    thousands = [number * each / 1000 for number in range(steps // 5, steps)]
    for number, sizes in enumerate(zip(*samples[steps // 5 :], strict=True), 1):
        slope = statistics.linear_regression(thousands, sizes).slope
        text = (f"worker {number}: {sizes[0]:.1f} MB after the first fifth, {sizes[-1]:.1f} MB at "
                f"the end; slope {slope * 1000:+.1f} kB per 1,000 calls")  # fmt: skip
        row.figure(text, max(sizes[-1] - sizes[0], slope * tally.total / 1000) < _FLAT_MB)


def test_stop(row: PageRow) -> None:
    """SIGTERM under load, with calls of 20,000 entries under way, ten times

    whatever was sent before the signal is answered; the exit status is 0; no acknowledged answer
    is lost
    """
    stopped_at, seconds = math.inf, []

    def right(answered: Answered) -> bool:
        """What was sent after the signal may be lost."""
        return answered.status == 200 or (bool(answered.lost) and answered.at >= stopped_at)

    feedback, bodies = FeedbackTally(right), [calls.with_results(20_000)] * 4
    cards = row.tallies["calls"] = CallTally(right)
    large = row.tallies["large bodies"] = CallTally(right)
    for number in range(row.many(10, 3)):
        stopped_at = math.inf
        with row.serving() as service:
            sending = threading.Thread(target=send_all, args=(bodies, service.port, large, 4))
            with (
                row.load("calls", good_calls(), 4, cards, pause_s=0),
                row.load("feedback", feedback.calls(), 2, feedback, pause_s=0),
            ):
                time.sleep(1)
                sending.start()
                time.sleep(0.15 + 0.05 * (number % 4))
                stopped_at = time.monotonic()
                row.must(service.stop() == 0, "the exit status is not 0")
                seconds.append(time.monotonic() - stopped_at)
                sending.join()
    row.figure(f"{len(seconds)} stops, each with status 0 within {max(seconds):.1f} s; lost calls "
               "were sent after the signal")  # fmt: skip
    row.must_be_stored(feedback)


def test_rolling_restart(row: PageRow) -> None:
    """two instances on one SQLite file; calls go to each in turn, over one connection to each, and
    are never retried; each instance is taken out, stopped by SIGTERM and replaced, five times

    no call fails; the exit status is 0
    """
    feedback, statuses = FeedbackTally(), []
    with ExitStack() as stack:
        running = [stack.enter_context(serving(row.folder, workers=1)) for _ in range(2)]
        ports, turns = [instance.port for instance in running], itertools.count()
        row.service = running[0]

        def next_port() -> int:
            return ports[next(turns) % len(ports)]

        with (
            row.load("calls", good_calls(), 4, port=next_port, fresh=True),
            row.load("feedback", feedback.calls(), 2, feedback, port=next_port, fresh=True),
        ):
            time.sleep(1)
            for place in (0, 1) * row.many(5, 1):
                old, other = running[place], running[1 - place]
                ports = [other.port]
                time.sleep(0.5)  # as with a load balancer that learns of it late, or a preStop hook
                statuses.append(old.stop())
                row.must_be_healthy(old)
                new = running[place] = stack.enter_context(serving(row.folder, workers=1))
                until(lambda new=new: bool(new.says("/readyz")), "readiness")
                ports = [new.port, other.port]
                time.sleep(1)
    row.must_be_stored(feedback)
    row.figure(f"{len(statuses)} restarts, exit statuses {set(statuses)}", not any(statuses))


def _same_cards() -> CallTally:
    """Honest calls: 200, and the same number of cards for the same body every time."""
    cards: dict[bytes, int] = {}

    def right(answered: Answered) -> bool:
        if answered.status != 200:
            return False
        count = len(json.loads(answered.body)["cards"])
        return cards.setdefault(answered.call.body, count) == count

    return CallTally(right)


def _hostile() -> tuple[tuple[Post, ...], tuple[Post, ...]]:
    """Calls that cost the service little, and calls that cost up to a second."""
    products = ["mg " * 650] * 20 + [f"{number} " + "mg " * 600 for number in range(150)]
    return (
        Post(VIEW, b'{"a":"' + b'\\"' * 24_000),
        calls.many_answers(1000),
        view({"extra": "[" * 30_000}),
        view({"extra": {"k" * 40 + str(number): number for number in range(20_000)}}),
        calls.with_texts(*(f"{number} Miller, John, walks at night" for number in range(300))),
    ), (
        calls.padded(17_000_000),
        calls.with_products(*products),
        calls.with_texts(*(f"{number} " + "no cramps, " * 180 for number in range(300))),
        calls.padded(33_000_000),
    )


def test_soak(row: PageRow) -> None:
    """30 minutes of honest calls and feedback of two signed clients, beside a signed client that
    sends unending bodies, 17 MB, megabytes of names, 50,000 entries, floods of feedback, tokens
    used twice and calls to a FHIR server that hangs, and beside strangers who hold connections,
    send made-up tokens, and break off

    every honest call is answered with 200 and its cards, with a p99 below 250 ms, and /healthz
    within 100 ms; no acknowledged feedback is lost; no worker dies or grows; nothing unforeseen is
    logged
    """
    seconds = row.minutes * 60 if row.minutes else row.many(1800, 40)
    honest, feedback, ended = _same_cards(), FeedbackTally(), threading.Event()
    attacked = CallTally(lambda answered: answered.status not in (500, 502))
    with Loopback(lambda _asked: [FOREVER]) as hung, ExitStack() as stack:
        north, south = (Signer(f"https://{name}.example") for name in ("north", "south"))
        hostile = Signer("https://hostile.example", fhir_servers=[hung.url])
        service = stack.enter_context(row.serving(north, south, hostile))
        asking, once = calls.without_prefetch(hung.url), hostile.signed()
        made_up = Post(VIEW, once.body, {"Authorization": "Bearer a.b.c"})
        cheap, dear = _hostile()
        for name, source, tally, pause_s, fresh in (
            ("honest", north.calls(), honest, 0.4, False),
            ("honest", south.calls(), honest, 0.4, False),
            ("feedback", map(north.signed, feedback.calls()), feedback, 1, False),
            ("hostile", hostile.calls(asking, *cheap), attacked, 0.5, False),
            ("hostile", hostile.calls(*dear), attacked, 6, True),
            ("hostile", (once, made_up), attacked, 0.3, True),
        ):
            stack.enter_context(row.load(name, source, 1, tally, pause_s=pause_s, fresh=fresh))
        stack.callback(ended.set)

        def strangers() -> None:
            while not ended.is_set():
                with suppress(OSError), calls.strangers(service.port, _STRANGERS):
                    ended.wait(5)

        threading.Thread(target=strangers, daemon=True).start()
        settling = min(30, seconds / 4)
        time.sleep(settling)
        before = max(service.memory_mb())
        row.healthy_for(seconds - settling)
        after = max(service.memory_mb())
    row.must(honest.quantile_ms(0.99) < _P99_MS, f"honest: {honest}")
    row.must_be_stored(feedback)
    text = f"largest worker {before:.0f} MB at first, {after:.0f} MB at the end"
    row.figure(text, after - before < _GROWN_MB)
    row.figure(f"{seconds / 60:g} minutes, {_STRANGERS} connections of strangers at a time")
