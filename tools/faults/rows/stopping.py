"""SIGTERM under load, and a rolling restart behind a balancer."""

from __future__ import annotations

import threading
import time

from tools.faults.balancer import Balancer
from tools.faults.bodies import VIEW, Answers, good_calls, with_results
from tools.faults.load import Answered, Call, Client, Tally, endless, under_load
from tools.faults.run import Row, Run, pause, stored_cards
from tools.faults.service import Service, serving, until


def _stop(run: Run) -> None:
    big = Call(VIEW, with_results(20_000))
    rounds = run.many(10, 3)
    answers = Answers()
    tallies = [Tally(keep=lambda answered: bool(answered.lost)) for _ in range(rounds)]
    cut = refused = big_answered = 0
    slowest = 0.0
    for number, tally in enumerate(tallies):

        def hear(answered: Answered, tally: Tally = tally) -> None:
            tally.add(answered)
            answers.hear(answered.call, answered.status)

        with serving(run.folder) as service:
            large: list[Answered] = []
            waiting = [
                threading.Thread(target=lambda: large.append(Client(service.port).send(big)))  # noqa: B023  # joined in this round
                for _ in range(4)
            ]
            with (
                under_load(service.port, endless(good_calls()), hear, 4),
                under_load(service.port, answers.calls, hear, 2),
            ):
                pause(1)
                for one in waiting:
                    one.start()
                pause(0.15 + 0.05 * (number % 4))
                told = time.monotonic()
                status = service.stop()
                slowest = max(slowest, time.monotonic() - told)
                for one in waiting:
                    one.join()
            run.must(status == 0, f"exit status {status}")
            run.must_be_clean(service)
            early = [one for one in (*tally.kept, *large) if one.lost and one.at < told]
            cut += len(early)
            refused += len(tally.kept) - sum(one.at < told for one in tally.kept)
            big_answered += sum(one.status == 200 for one in large)
            run.must(
                not early, f"cut: {[(one.lost, round(told - one.at, 3)) for one in early[:3]]}"
            )
            bad = set(tally.statuses) - {0, 200}
            run.must(not bad, f"statuses {bad}")
    missing = answers.acknowledged - stored_cards(run.folder)
    run.must(not missing, f"{len(missing)} acknowledged answers are lost")
    answered = sum(tally.statuses[200] for tally in tallies)
    run.figure(
        f"{rounds} stops, each with status 0 within {slowest:.1f} s: {answered:,} answered, "
        f"{big_answered} of {4 * rounds} large bodies (20,000 entries) under way answered, {cut} "
        f"sent before the signal and cut, {refused:,} refused that were sent after it"
    )
    run.figure(f"{len(answers.acknowledged):,} answers acknowledged, {len(missing)} lost")


def _rolling(run: Run) -> None:
    calls = Tally(keep=lambda answered: answered.status != 200)
    feedback = Tally(keep=lambda answered: answered.status != 200)
    answers = Answers()
    statuses: list[int] = []
    balancer = Balancer()
    running: list[Service] = []

    def hear(answered: Answered) -> None:
        feedback.add(answered)
        answers.hear(answered.call, answered.status)

    with serving(run.folder, workers=1) as first, serving(run.folder, workers=1) as second:
        running += [first, second]
        try:
            balancer.use(first.port, second.port)
            balancer.start()
            with (
                under_load(
                    balancer.port, endless(good_calls()), calls.add, 4, fresh=True, pause_s=0.002
                ),
                under_load(balancer.port, answers.calls, hear, 2, fresh=True, pause_s=0.002),
            ):
                pause(1)
                for _ in range(run.many(5, 1)):
                    for place in (0, 1):
                        old, other = running[place], running[1 - place]
                        balancer.use(other.port)
                        pause(0.5)  # as a balancer that hears of it late, or a preStop hook
                        statuses.append(old.stop())
                        new = Service(run.folder, workers=1)
                        running[place] = new
                        new.wait_ready()
                        until(new.ready, "readiness")
                        balancer.use(new.port, other.port)
                        run.must_be_clean(old)
                        pause(1)
        finally:
            for one in running:
                one.kill()
            balancer.stop()
    missing = answers.acknowledged - stored_cards(run.folder)
    failed = len(calls.kept) + len(feedback.kept)
    run.must(not failed, f"{failed} failed: {calls.said()}; {feedback.said()}")
    run.must(not balancer.refused, f"{balancer.refused} connections refused by an instance")
    run.must(not any(statuses), f"exit statuses {statuses}")
    run.must(not missing, f"{len(missing)} acknowledged answers are lost")
    run.figure(f"{len(statuses)} restarts, exit statuses {sorted(set(statuses))}")
    run.figure(f"calls: {calls.said()}, p99 {calls.quantile_ms(0.99):.0f} ms; feedback: "
               f"{feedback.said()}; {failed} failed")  # fmt: skip


ROWS = (
    Row(
        "stop",
        "SIGTERM under load, with calls of 20,000 entries under way, ten times",
        "whatever was sent before the signal is answered; exit status 0; no acknowledged answer "
        "is lost",
        _stop,
    ),
    Row(
        "rolling-restart",
        "two instances on one SQLite file behind a TCP balancer that never tries twice; each is "
        "taken off it, stopped by SIGTERM and replaced, five times; one connection per call",
        "no failed call; exit status 0",
        _rolling,
    ),
)
