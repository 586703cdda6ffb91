"""Whether two checkouts answer alike: the same mutated requests to both, in turns.

    python -m tools.bench.same CHECKOUT [--requests 20000] [--seed 1]

Requests are the benchmark's and those of ``fixtures``, damaged as in ``tests.testing.spoiling``.
Compared are cards, the answer of every rule with its reasons, problems, and refusals. The first
requests that differ are printed whole; exit status 1.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
_SHOWN = 3


def mutated_lines(number: int, seed: int) -> Iterator[str]:
    """So many requests, each as its address and its JSON; the same for the same seed."""
    from tests.scenarios.golden import FOLDERS, scenario
    from tests.testing.spoiling import damaged
    from tools.bench import bodies

    sizes = ((size, cards) for size in (10, 40) for cards in (True, False))
    made = [bodies.patient_view(size, cards=cards, now=NOW) for size, cards in sizes]
    calls = list(map(json.loads, (*made, bodies.order_select(10, now=NOW))))
    calls += [scenario(folder).request for folder in FOLDERS]
    chance = random.Random(seed)  # noqa: S311  # no secret is made of it
    for at in range(number):
        call = calls[at % len(calls)]
        path = f"/cds-services/leg-cramps-{call['hook']}"
        if at >= len(calls):
            changes = chance.choice((1, 1, 2, 3, 6))
            prefetch, _ = damaged(chance, call.get("prefetch"), changes)
            call = {**call, "prefetch": prefetch}
            if chance.random() < 0.05:
                call, _ = damaged(chance, call, changes)
        yield f"{path} {json.dumps(call)}"


def answered(lines: Iterator[str]) -> Iterator[str]:
    """What the ``cds_service`` that is imported answers to each line, as a line of JSON."""
    from dataclasses import replace

    from werkzeug.test import create_environ, run_wsgi_app

    from cds_service.answer.answering import Answering
    from cds_service.app import build, make_parts
    from cds_service.settings import read_settings

    answer, seen = Answering.answer, []

    def kept(*given: Any) -> Any:
        found = answer(*given)
        seen.append([found.trace, found.problems, found.silence, found.orders])
        return found

    Answering.answer = kept
    with tempfile.TemporaryDirectory() as folder:
        parts = make_parts(read_settings(database_url=f"sqlite:///{folder}/same.db"))
        app = build(replace(parts, now=lambda: NOW)).wsgi_app
        try:
            for line in lines:
                seen.clear()
                path, _, body = line.partition(" ")
                told = {"data": body, "content_type": "application/json"}
                call = create_environ(path, method="POST", **told)
                content, status, _ = run_wsgi_app(app, call, buffered=True)
                # The ids of cards and suggestions are random in part.
                lasting = re.sub(rb'"uuid": *"[^"]*"', b'"uuid": ""', b"".join(content))
                yield json.dumps([status, json.loads(lasting), repr(seen)])
        finally:
            Answering.answer = answer
            parts.records.close()


def differences(checkouts: tuple[Path, Path], number: int, seed: int) -> Iterator[str]:
    """The requests that two checkouts answer differently, with both answers."""
    # Each answers in a process of its own, line by line.
    processes = [
        subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(one)},
        )
        for one in checkouts
    ]
    try:
        for line in mutated_lines(number, seed):
            for one in processes:
                print(line, file=one.stdin, flush=True)
            ours, theirs = (one.stdout.readline() for one in processes)
            if not ours or not theirs:
                raise RuntimeError("a process has ended")
            if ours != theirs:
                yield f"{line}\n{ours}{theirs}"
    finally:
        for one in processes:
            one.kill()
            one.communicate()


def main() -> int:
    """Exit status 1 where something differs."""
    if len(sys.argv) == 1:  # one of the processes
        from cds_service.ops import logs

        logs.configure("error", sys.stderr)
        for line in answered(iter(sys.stdin.readline, "")):
            print(line, flush=True)
        return 0
    reader = argparse.ArgumentParser(prog="python -m tools.bench.same", description=__doc__)
    reader.add_argument("checkout", type=Path)
    reader.add_argument("--requests", type=int, default=20_000)
    reader.add_argument("--seed", type=int, default=1)
    asked = reader.parse_args()
    count = 0
    both = (asked.checkout.resolve(), CHECKOUT)
    for count, told in enumerate(differences(both, asked.requests, asked.seed), 1):
        if count <= _SHOWN:
            print(told)
    print(f"{asked.requests:,} requests, {count:,} answered differently")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
