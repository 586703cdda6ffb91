"""Whether two checkouts give the same answers: damaged calls to both, in turn.

    python -m tools.bench.same CHECKOUT [--requests 20000] [--seed 1]

The calls are those of ``make faults`` and the benchmark, damaged in the same ways. Compared are
status and body, the answer of every rule with its reasons, and problems. The first calls answered
differently are printed whole; exit status 1.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
_BATCH, _SHOWN = 2_000, 3


def lines(number: int, seed: int) -> Iterator[str]:
    """So many calls, each as a line of JSON: address, body, headers."""
    from tools.bench import bodies
    from tools.faults.calls import mutated

    calls = (bodies.patient_view(10, now=NOW), bodies.patient_view(40, cards=False, now=NOW),
            bodies.order_select(10, now=NOW))  # fmt: skip
    for call in mutated(number, seed, *map(json.loads, calls * 20)):
        yield json.dumps([call.path, call.body.decode("latin-1"), dict(call.headers)])


def answered(calls: Iterable[str]) -> Iterator[str]:
    """What the imported ``cds_service`` answers to each line, as a line of JSON."""
    from werkzeug.test import create_environ, run_wsgi_app

    from cds_service.app import build, make_parts
    from cds_service.settings import read_settings

    answers: list[Any] = []

    def watched(answer: Callable[..., Any], *given: Any) -> Any:
        decision = answer(*given)
        answers.append([decision.trace, decision.problems, decision.silence, decision.orders])
        return decision

    with tempfile.TemporaryDirectory() as folder:
        parts = make_parts(read_settings(database_url=f"sqlite:///{folder}/same.db"))
        for answering in {parts.answering, *parts.sites.values()}:
            answering.answer = partial(watched, answering.answer)
        app = build(replace(parts, now=lambda: NOW)).wsgi_app
        for line in calls:
            answers.clear()
            path, body, headers = json.loads(line)
            headers_sent = {"Content-Type": "application/json", **headers}
            environ = create_environ(
                path, method="POST", data=body.encode("latin-1"), headers=headers_sent
            )
            content, status, _ = run_wsgi_app(app, environ, buffered=True)
            # The ids of cards and suggestions are partly random.
            text = re.sub(r'"uuid": *"[^"]*"', "", b"".join(content).decode())
            yield json.dumps([status, text, repr(answers)])
        parts.records.close()


def differences(checkouts: tuple[Path, Path], number: int, seed: int) -> Iterator[str]:
    """The calls that two checkouts answer differently, with both answers."""
    sent = lines(number, seed)
    while batch := list(islice(sent, _BATCH)):
        ours, theirs = (
            subprocess.run(
                [sys.executable, "-P", __file__], env={"PYTHONPATH": str(checkout)}, check=True,
                input="\n".join(batch), stdout=subprocess.PIPE, text=True,
            ).stdout.splitlines()
            for checkout in checkouts
        )  # fmt: skip
        for line, our_answer, their_answer in zip(batch, ours, theirs, strict=True):
            if our_answer != their_answer:
                yield f"{line}\n{our_answer}\n{their_answer}\n"


def main() -> int:
    """Exit status 1 where an answer differs."""
    if len(sys.argv) == 1:  # one of the processes
        from cds_service.ops import logs

        logs.configure("error", sys.stderr)
        print(*answered(sys.stdin), sep="\n")
        return 0
    reader = argparse.ArgumentParser(prog="python -m tools.bench.same", description=__doc__)
    reader.add_argument("checkout", type=Path)
    reader.add_argument("--requests", type=int, default=20_000)
    reader.add_argument("--seed", type=int, default=1)
    options = reader.parse_args()
    count, checkouts = 0, (options.checkout.resolve(), CHECKOUT)
    for count, difference in enumerate(differences(checkouts, options.requests, options.seed), 1):
        if count <= _SHOWN:
            print(difference)
    print(f"{options.requests:,} calls, {count:,} answered differently")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
