"""Workers killed under load, and their memory over many calls."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

from tools.faults.bodies import Answers, good_calls
from tools.faults.load import Answered, Tally, endless, send_all, under_load
from tools.faults.run import Row, Run, pause, stored_cards
from tools.faults.service import HOST, Service, serving, until

_FLAT_MB = 10.0
_AT_ONCE_S = 1.0


def _killed(run: Run) -> None:
    dice = random.Random(run.seed)  # noqa: S311  # repeatable, not secret
    kills: list[float] = []
    recoveries: list[float] = []
    cards = Tally(keep=lambda answered: answered.status != 200)
    feedback = Tally(keep=lambda answered: answered.status != 200)
    answers = Answers()

    def hear(answered: Answered) -> None:
        feedback.add(answered)
        answers.hear(answered.call, answered.status)

    with serving(run.folder) as service:
        with (
            under_load(service.port, endless(good_calls()), cards.add, 4),
            under_load(service.port, answers.calls, hear, 2),
        ):
            pause(2)
            for _ in range(run.many(15, 5)):
                before = service.log.count("Started worker-")
                victim = dice.choice(service.worker_pids())
                kills.append(time.monotonic())
                os.kill(victim, signal.SIGKILL)
                recoveries.append(
                    until(
                        lambda before=before: service.log.count("Started worker-") > before,  # type: ignore[misc]
                        "a new worker",
                    )
                )
                pause(3)
        run.must(service.ready(), "not ready afterwards")
        run.must(len(service.worker_pids()) == 2, f"{len(service.worker_pids())} workers")
        run.must_be_clean(service)
        run.must(service.stop() == 0, "the exit status is not 0")
    failed = [*cards.kept, *feedback.kept]
    # Under way at the kill, or sent right after it over a connection to the dead worker.
    late = [
        one
        for one in failed
        if not any(one.at - _AT_ONCE_S < kill < one.at + one.seconds for kill in kills)
    ]
    missing = answers.acknowledged - stored_cards(run.folder)
    run.must(not missing, f"{len(missing)} acknowledged answers are lost")
    run.must(not late, f"{len(late)} calls failed more than {_AT_ONCE_S:g} s after a kill")
    run.must(all(one.lost for one in failed), f"{cards.said()}; {feedback.said()}")
    most = 6 * len(kills)
    run.must(len(failed) <= most, f"{len(failed)} failed; at most {most} were under way")
    run.figure(
        f"{len(kills)} kills; a new worker takes calls after {max(recoveries):.2f} s at most"
    )
    run.figure(f"calls: {cards.said()}; feedback: {feedback.said()}")
    run.figure(
        f"{len(failed)} failed ({len(failed) / len(kills):.1f} a kill, of 6 connections), "
        "all connected to a worker just killed; "
        f"{len(answers.acknowledged):,} answers acknowledged, {len(missing)} lost"
    )


def _memory(run: Run) -> None:
    count = run.many(100_000, 10_000)
    sent = 0
    samples: list[tuple[int, dict[int, int]]] = []
    with serving(run.folder, settings={"LOG_LEVEL": "error"}) as service:
        rounds = _wrk_rounds if shutil.which("wrk") else _own_rounds
        one_round = rounds(run, service)
        started = time.monotonic()
        while sent < count:
            sent += one_round()
            samples.append((sent, service.rss_kb()))
            mib = ", ".join(f"{rss / 1024:.1f}" for rss in samples[-1][1].values())
            run.say(f"    {sent:,} calls: {mib} MiB")
        took = time.monotonic() - started
        run.must_be_clean(service)
        run.must(len(service.worker_pids()) == 2, "a worker died")
    # The first fifth fills caches and starts threads.
    settled = [one for one in samples if one[0] >= sent * 0.2]
    for number, pid in enumerate(sorted(settled[0][1]), 1):
        points = [(calls / 1000, by[pid] / 1024) for calls, by in settled]
        slope = _slope(points)
        grown = points[-1][1] - points[0][1]
        run.figure(
            f"worker {number}: {samples[0][1][pid] / 1024:.1f} MiB after the first "
            f"{samples[0][0]:,} calls, {points[-1][1]:.1f} MiB after {sent:,}; slope after the "
            f"first fifth {slope * 1024:+.1f} KiB per 1,000 calls"
        )
        run.must(grown < _FLAT_MB, f"worker {number} grew by {grown:.1f} MiB after the first fifth")
        run.must(
            slope * (sent / 1000) < _FLAT_MB, f"worker {number} grows {slope:.3f} MiB per 1,000"
        )
    run.figure(f"{sent:,} calls in {took:.0f} s ({rounds.__name__.split('_')[1]} client)")


def _wrk_rounds(run: Run, service: Service) -> Callable[[], int]:
    """Rounds of a few seconds of `wrk`, whose calls differ from each other."""
    script = [
        "local calls = {}",
        "local function read(name) local f = io.open(name, 'rb'); local t = f:read('*a'); "
        "f:close(); return t end",
    ]
    for number, call in enumerate(good_calls()):
        (run.folder / f"{number}.json").write_bytes(call.body)
        script.append(f"calls[#calls + 1] = {{'{call.path}', read('{run.folder}/{number}.json')}}")
    script += [
        "local at = 0",
        "request = function() at = at % #calls + 1; return wrk.format('POST', calls[at][1], "
        "{['Content-Type'] = 'application/json', Host = 'x'}, calls[at][2]) end",
    ]
    lua = run.folder / "calls.lua"
    lua.write_text("\n".join(script) + "\n", encoding="utf-8")
    command = ["wrk", "--threads", "1", "--connections", "8", "--timeout", "20s",
               "--duration", f"{run.many(5, 2)}s", "--script", str(lua),
               f"http://{HOST}:{service.port}/"]  # fmt: skip

    def one_round() -> int:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for trouble in ("Non-2xx", "Socket errors"):
            run.must(trouble not in said, next((x for x in said.splitlines() if trouble in x), ""))
        found = re.search(r"(\d+) requests in", said)
        return int(found[1]) if found else 0

    return one_round


def _own_rounds(run: Run, service: Service) -> Callable[[], int]:
    """Rounds of a thousand calls of our own."""
    source = endless(good_calls())()

    def one_round() -> int:
        tally = Tally(keep=lambda answered: answered.status != 200)
        send_all((next(source) for _ in range(1000)), service.port, tally.add)
        run.must(not tally.kept, tally.said())
        return tally.total

    return one_round


def _slope(points: list[tuple[float, float]]) -> float:
    """Of the straight line through the points (least squares)."""
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


ROWS = (
    Row(
        "workers-killed",
        "kill -9 of a random worker, fifteen times, under calls and feedback",
        "each is replaced; only calls connected to the killed worker fail; no acknowledged answer "
        "is lost; exit status 0 in the end",
        _killed,
    ),
    Row(
        "memory",
        "100,000 calls of all scenarios",
        f"every answer 200; after the first fifth no worker grows by {_FLAT_MB:g} MiB",
        _memory,
    ),
)
