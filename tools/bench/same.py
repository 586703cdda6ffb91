"""Whether two checkouts answer alike: the same mutated requests to both, in turns.

    python -m tools.bench.same CHECKOUT [--requests 20000] [--seed 1]

Requests are the benchmark's and those of ``fixtures``, with parts of them taken out, exchanged,
repeated or made into something else. Compared are cards, the answer of every rule with its
reasons, problems, and refusals. The first requests that differ are printed whole; exit status 1.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
ODD = (
    None, True, 0, -1, 6.8, 1e40, "", " ", "unknown", "x", [], {}, [None], [[]], {"x": 1},
    "2026-11-26", "2026-11-26T08:00:00Z", "2030-01-01", "2026-02-31", "2026", "<", ">=", "mmol/L",
    "mg/dL", "no leg cramps", "quinine", "muscle cramp", "active", "entered-in-error",
    "preliminary", "final", "haemolysed", {"reference": "Patient/other"}, {"reference": "#a"},
    [{"url": "https://x.example", "valueBoolean": True}], {"text": "hypokalaemia"},
    {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
)  # fmt: skip
_NUMBERS = (0, 0.1, 0.5, 0.8, 1.2, 2, 10, -1)
_SHOWN = 3


def originals() -> list[tuple[str, Any]]:
    """(address, call) of the requests that are mutated."""
    from tools.bench import bodies
    from tools.bench.contestants import ORDERS_PATH, VIEW_PATH

    made = [
        (VIEW_PATH, json.loads(bodies.patient_view(size, cards=cards, now=NOW)))
        for size in (10, 40)
        for cards in (True, False)
    ]
    made.append((ORDERS_PATH, json.loads(bodies.order_select(10, now=NOW))))
    for file in sorted((CHECKOUT / "fixtures" / "scenarios").glob("*/request.json")):
        call = json.loads(file.read_bytes())
        if isinstance(call, dict) and isinstance(call.get("hook"), str):
            made.append((f"/cds-services/leg-cramps-{call['hook']}", call))
    return made


def mutated(call: Any, chance: random.Random) -> Any:
    """A copy with one to six places changed."""
    call = copy.deepcopy(call)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        places = list(_places(call.get("prefetch") if chance.random() < 0.95 else call))
        if not places:
            return call
        holder, key = chance.choice(places)
        value = holder[key]
        kind = chance.random()
        if kind < 0.2:
            del holder[key]
        elif kind < 0.35:
            other, at = chance.choice(places)
            if (other, at) != (holder, key):
                holder[key] = copy.deepcopy(other[at])
        elif kind < 0.45 and isinstance(holder, list):
            holder.append(copy.deepcopy(value))
        elif isinstance(value, int | float) and not isinstance(value, bool) and kind < 0.9:
            holder[key] = round(value * chance.choice(_NUMBERS), 2)
        else:
            holder[key] = copy.deepcopy(chance.choice(ODD))
    return call


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON value, as what holds it and its key."""
    for key, inner in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        yield value, key
        yield from _places(inner)


def mutated_lines(number: int, seed: int) -> Iterator[str]:
    """So many requests, each as its address and its JSON; the same for the same seed."""
    chance, calls = random.Random(seed), originals()  # noqa: S311  # no secret is made of it
    for at in range(number):
        path, call = calls[at % len(calls)]
        yield f"{path} {json.dumps(call if at < len(calls) else mutated(call, chance))}"


def answered(lines: Iterator[str]) -> Iterator[str]:
    """What the ``cds_service`` that is imported answers to each line, as a line of JSON."""
    from cds_service.answer.answering import Answering

    answer, seen = Answering.answer, []

    def kept(*given: Any) -> Any:
        found = answer(*given)
        seen.append([found.trace, found.problems, found.silence, found.orders])
        return found

    Answering.answer = kept  # type: ignore[method-assign]
    try:
        yield from _answers(lines, seen)
    finally:
        Answering.answer = answer  # type: ignore[method-assign]


def _answers(lines: Iterator[str], seen: list[object]) -> Iterator[str]:
    from dataclasses import replace

    from werkzeug.test import create_environ, run_wsgi_app

    from cds_service.app import build, make_parts
    from cds_service.settings import read_settings

    with tempfile.TemporaryDirectory() as folder:
        parts = make_parts(read_settings(database_url=f"sqlite:///{folder}/same.db"))
        app = build(replace(parts, now=lambda: NOW)).wsgi_app
        try:
            for line in lines:
                seen.clear()
                path, _, body = line.partition(" ")
                environ = create_environ(
                    path, method="POST", data=body, content_type="application/json"
                )
                content, status, _ = run_wsgi_app(app, environ, buffered=True)
                yield json.dumps([status, _lasting(json.loads(b"".join(content))), repr(seen)])
        finally:
            parts.records.close()


def _lasting(answer: Any) -> Any:
    """An answer without the ids, a part of which is random."""
    for card in answer.get("cards", ()):
        del card["uuid"]
        for suggestion in card.get("suggestions", ()):
            del suggestion["uuid"]
    return answer


def process(checkout: Path) -> subprocess.Popen[str]:
    """Another process that answers each line of requests with the code of a checkout."""
    return subprocess.Popen(
        [sys.executable, "-P", __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(checkout)},
    )


def differences(checkouts: tuple[Path, Path], number: int, seed: int) -> Iterator[str]:
    """The requests that two checkouts answer differently, with both answers."""
    processes = [process(one) for one in checkouts]
    try:
        for line in mutated_lines(number, seed):
            said = []
            for one in processes:
                assert one.stdin is not None and one.stdout is not None
                one.stdin.write(f"{line}\n")
                one.stdin.flush()
            for one in processes:
                assert one.stdout is not None
                said.append(one.stdout.readline())
                if not said[-1]:
                    raise RuntimeError("a process has ended")
            if said[0] != said[1]:
                yield f"{line}\n{said[0]}{said[1]}"
    finally:
        for one in processes:
            one.kill()
            one.wait()


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
