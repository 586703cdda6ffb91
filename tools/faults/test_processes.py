"""Workers killed under load, their memory over many calls, SIGTERM, and a rolling restart."""

from __future__ import annotations

import itertools
import random
import statistics
import threading
import time

from tests.testing.serving import Service, stored_cards, until
from tools.faults.calls import Feedback, good_calls, with_results
from tools.faults.conftest import Row
from tools.faults.load import Tally, send_all, under_load
from tools.faults.proxy import Proxy

_FLAT_MB = 10.0
_AT_ONCE_S = 1.0


def test_workers_killed(row: Row) -> None:
    """kill -9 of a random worker, fifteen times, under calls and feedback

    each is replaced; only calls connected to the killed worker fail; no acknowledged answer is
    lost; exit status 0 in the end
    """
    dice = random.Random(row.seed)
    kills: list[float] = []
    recoveries: list[float] = []
    cards, feedback = Tally(), Feedback()
    with row.serving() as service:
        with (
            under_load(service.port, good_calls(), cards, 4, pause_s=0),
            under_load(service.port, feedback.calls(), feedback, 2, pause_s=0),
        ):
            time.sleep(2)
            for _ in range(row.many(15, 5)):
                before = service.started
                kills.append(time.monotonic())
                dice.choice(service.worker_processes()).kill()
                recoveries.append(until(lambda n=before: service.started > n, "a new worker"))
                time.sleep(3)
        row.must(service.says("/readyz"), "not ready afterwards")
        row.must(len(service.worker_processes()) == 2, "not two workers afterwards")
        row.must(service.stop() == 0, "the exit status is not 0")
    failed = [*cards.wrong, *feedback.wrong]
    # Under way at the kill, or sent right after it over a connection to the dead worker.
    late = [
        one
        for one in failed
        if not any(one.at - _AT_ONCE_S < kill < one.at + one.seconds for kill in kills)
    ]
    most = 6 * len(kills)
    row.must(not late, f"{len(late)} calls failed more than {_AT_ONCE_S:g} s after a kill")
    row.must(all(one.lost for one in failed), f"{cards.said()}; {feedback.said()}")
    row.must(len(failed) <= most, f"{len(failed)} failed; at most {most} were under way")
    row.figure(f"{len(kills)} kills; a new worker takes calls within {max(recoveries):.2f} s")
    row.figure(f"calls: {cards.said()}; feedback: {feedback.said()}")
    row.figure(
        f"{len(failed)} failed ({len(failed) / len(kills):.1f} a kill, of 6 connections), all "
        "connected to a worker just killed"
    )
    row.must_be_kept(feedback, stored_cards(row.folder))


def test_memory(row: Row) -> None:
    """100,000 calls of all scenarios

    every answer 200; after the first fifth no worker grows by 10 MB
    """
    steps, each = 20, row.many(5_000, 500)
    samples: list[list[float]] = []
    with row.serving(LOG_LEVEL="error") as service:
        workers = service.worker_processes()
        calls, tally = itertools.cycle(good_calls()), Tally()
        row.tallies["calls"] = tally
        for _ in range(steps):
            send_all(itertools.islice(calls, each), service.port, tally)
            samples.append(row.memory_mb())
        row.must(service.worker_processes() == workers, "a worker died")
    # The first fifth fills caches and starts threads.
    thousands = [number * each / 1000 for number in range(steps // 5, steps)]
    for number, sizes in enumerate(zip(*samples[steps // 5 :], strict=True), 1):
        slope = statistics.linear_regression(thousands, sizes).slope
        grown = sizes[-1] - sizes[0]
        row.figure(
            f"worker {number}: {sizes[0]:.1f} MB after the first fifth, {sizes[-1]:.1f} MB after "
            f"{tally.total:,} calls; slope {slope * 1000:+.1f} kB per 1,000 calls"
        )
        row.must(grown < _FLAT_MB, f"worker {number} grew by {grown:.1f} MB after the first fifth")
        grows = slope * tally.total / 1000
        row.must(grows < _FLAT_MB, f"worker {number} grows {slope:.3f} MB per 1,000 calls")


def test_stop(row: Row) -> None:
    """SIGTERM under load, with calls of 20,000 entries under way, ten times

    whatever was sent before the signal is answered; exit status 0; no acknowledged answer is lost
    """
    rounds = row.many(10, 3)
    cards, feedback, large = Tally(), Feedback(), Tally()
    before: list[tuple[float, float]] = []  # when calls were sent that must be answered
    slowest = 0.0
    for number in range(rounds):
        with row.serving() as service:
            bodies = [with_results(20_000)] * 4
            sending = threading.Thread(target=send_all, args=(bodies, service.port, large, 4))
            with (
                under_load(service.port, good_calls(), cards, 4, pause_s=0),
                under_load(service.port, feedback.calls(), feedback, 2, pause_s=0),
            ):
                started = time.monotonic()
                time.sleep(1)
                sending.start()
                time.sleep(0.15 + 0.05 * (number % 4))
                before.append((started, time.monotonic()))
                row.must(service.stop() == 0, "the exit status is not 0")
                slowest = max(slowest, time.monotonic() - before[-1][1])
                sending.join()
    lost = [one for one in (*cards.wrong, *feedback.wrong, *large.wrong) if one.lost]
    early = [one for one in lost if any(start <= one.at < told for start, told in before)]
    row.must(not early, f"{len(early)} calls sent before the signal were cut")
    for tally in (cards, feedback, large):
        row.must(set(tally.statuses) <= {0, 200}, f"statuses: {tally.said()}")
    row.figure(
        f"{rounds} stops, each with status 0 within {slowest:.1f} s: "
        f"{cards.statuses[200] + feedback.statuses[200]:,} answered, {large.statuses[200]} of "
        f"{4 * rounds} large bodies (20,000 entries) under way answered, {len(early)} sent before "
        f"the signal and cut, {len(lost) - len(early):,} refused that were sent after it"
    )
    row.must_be_kept(feedback, stored_cards(row.folder))


def test_rolling_restart(row: Row) -> None:
    """two instances on one SQLite file behind a TCP balancer that never tries twice; each is taken
    off it, stopped by SIGTERM and replaced, five times; one connection per call

    no failed call; exit status 0
    """
    feedback = Feedback()
    statuses: list[int] = []
    running = [Service(row.folder, workers=1) for _ in range(2)]
    try:
        for one in running:
            one.wait_ready()
        balancer = Proxy(*(one.port for one in running))
        with (
            row.load("calls", good_calls(), 4, port=balancer.port, fresh=True),
            row.load("feedback", feedback.calls(), 2, feedback, port=balancer.port, fresh=True),
        ):
            time.sleep(1)
            for place in (0, 1) * row.many(5, 1):
                old, other = running[place], running[1 - place]
                balancer.backends = (other.port,)
                time.sleep(0.5)  # as a balancer that hears of it late, or a preStop hook
                statuses.append(old.stop())
                row.must_be_clean(old)
                running[place] = new = Service(row.folder, workers=1)
                new.wait_ready()
                until(lambda new=new: bool(new.says("/readyz")), "readiness")
                balancer.backends = (new.port, other.port)
                time.sleep(1)
        balancer.die()
    finally:
        for one in running:
            one.kill()
    row.must(not balancer.refused, f"{balancer.refused} connections refused by an instance")
    row.must(not any(statuses), f"exit statuses {statuses}")
    row.must_be_kept(feedback, stored_cards(row.folder))
    row.figure(f"{len(statuses)} restarts, exit statuses {sorted(set(statuses))}")
