"""Hostile and honest callers together, for half an hour."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack, suppress

from tests.fhir_client.loopback import FOREVER, Loopback
from tests.testing.serving import HOST, stored_cards
from tools.faults import calls
from tools.faults.calls import GRANTED, VIEW, Feedback, Signer, client_list, view
from tools.faults.conftest import Row
from tools.faults.load import Answered, Call, Tally

_P99_MS = 250
_GROWN_MB = 150
_STRANGERS = 60


def _same_cards() -> Tally:
    """Honest calls: 200, and as many cards for the same body every time."""
    cards: dict[bytes, int] = {}

    def right(answered: Answered) -> bool:
        if answered.status != 200:
            return False
        count = len(json.loads(answered.body)["cards"])
        return cards.setdefault(answered.call.body, count) == count

    return Tally(right)


def _cheap() -> tuple[Call, ...]:
    """What costs the service little, and is sent twice a second."""
    return (
        calls.UNENDED,
        calls.many_answers(1000),
        view({"extra": "[" * 30_000}),
        view({"extra": {"k" * 40 + str(number): number for number in range(20_000)}}),
        calls.with_texts(*(f"{number} Miller, John, walks at night" for number in range(300))),
    )


def _dear() -> tuple[Call, ...]:
    """What costs up to a second, and is sent every six."""
    products = ["mg " * 650] * 20 + [f"{number} " + "mg " * 600 for number in range(150)]
    return (
        calls.padded(17_000_000),
        calls.with_products(*products),
        calls.with_texts(*(f"{number} " + "no cramps, " * 180 for number in range(300))),
        calls.padded(33_000_000),
    )


def test_soak(row: Row) -> None:
    """30 minutes of honest calls and feedback of two signed clients, beside a signed client that
    sends bodies without an end, 17 MB, megabytes of names, 50,000 entries, floods of feedback,
    tokens used twice and calls to a FHIR server that hangs, and beside strangers who hold
    connections, send tokens made up, and break off

    every honest call is answered 200 with its cards, p99 below 250 ms, /healthz within 100 ms; no
    acknowledged feedback is lost; no worker dies or grows; nothing unforeseen is logged
    """
    seconds = row.minutes * 60 if row.minutes else row.many(1800, 40)
    honest, feedback, ended = _same_cards(), Feedback(), threading.Event()
    attacked = Tally(lambda answered: answered.status not in (500, 502))
    with Loopback(lambda _asked: [FOREVER]) as hung, ExitStack() as stack:
        base = f"http://{HOST}:{hung.server_address[1]}/fhir"
        north, south = (Signer(f"https://{name}.example") for name in ("north", "south"))
        hostile = Signer("https://hostile.example", fhir_servers=[base])
        asking = view(None, fhirServer=base, fhirAuthorization=GRANTED)
        clients = client_list(row.folder, north, south, hostile)
        service = stack.enter_context(row.serving(TRUSTED_CLIENTS=clients))
        once = hostile.signed()
        made_up = Call(VIEW, once.body, {"Authorization": "Bearer a.b.c"})
        for name, source, tally, pause_s in (
            ("honest", north.calls(), honest, 0.4),
            ("honest", south.calls(), honest, 0.4),
            ("feedback", map(north.signed, feedback.calls()), feedback, 1),
            ("hostile", hostile.calls(asking, *_cheap()), attacked, 0.5),
            ("hostile", hostile.calls(*_dear()), attacked, 6),
            ("hostile", (once, made_up), attacked, 0.3),
        ):
            fresh = pause_s in (0.3, 6)
            stack.enter_context(row.load(name, source, 1, tally, fresh=fresh, pause_s=pause_s))
        stack.callback(ended.set)

        def strangers() -> None:
            while not ended.is_set():
                with suppress(OSError), calls.strangers(service.port, _STRANGERS):
                    ended.wait(5)

        threading.Thread(target=strangers, daemon=True).start()
        settling = min(30, seconds / 4)
        time.sleep(settling)
        workers, before = service.worker_processes(), max(row.memory_mb())
        row.healthy_for(seconds - settling)
        alive, after = service.worker_processes(), max(row.memory_mb())
        row.must(alive == workers, f"workers {workers} became {alive}")
    p99 = honest.quantile_ms(0.99)
    row.must(p99 < _P99_MS, f"honest p99 {p99:.0f} ms")
    row.must(after - before < _GROWN_MB, f"a worker grew from {before:.0f} to {after:.0f} MB")
    row.must_be_kept(feedback, stored_cards(row.folder))
    row.figure(f"{seconds / 60:g} minutes, {_STRANGERS} connections of strangers at a time")
    row.figure(f"largest worker {before:.0f} MB after the beginning, {after:.0f} MB at the end")
