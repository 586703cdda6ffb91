"""Hostile and honest callers together, for half an hour."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil

from tests.fhir_client.loopback import FOREVER, Loopback
from tests.testing.serving import HOST, serving, stored_cards
from tools.faults import attacks
from tools.faults.calls import VIEW, Feedback, Signer, client_list, good_calls, view
from tools.faults.conftest import Row
from tools.faults.health import watched
from tools.faults.load import Answered, Call, Tally, under_load

_P99_MS = 250
_HONEST_PAUSE_S = 0.4
_GROWN_MB = 150


class _Signed(Feedback):
    """Feedback of one signed client."""

    def __init__(self, signer: Signer) -> None:
        super().__init__()
        self._signer = signer

    def calls(self) -> Iterator[Call]:
        for call in super().calls():
            yield attacks.signed(self._signer, call)


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
        attacks.UNENDED,
        attacks.many_answers(1000),
        view({"extra": "[" * 30_000}),
        view({"extra": {"k" * 40 + str(number): number for number in range(20_000)}}),
        attacks.with_texts([f"{number} Miller, John, walks at night" for number in range(300)]),
    )


def _dear() -> tuple[Call, ...]:
    """What costs up to a second, and is sent every seven."""
    products = ["mg " * 650] * 20 + [f"{number} " + "mg " * 600 for number in range(150)]
    return (
        attacks.padded(17_000_000),
        attacks.with_products(products),
        attacks.with_texts([f"{number} " + "no cramps, " * 180 for number in range(300)]),
        attacks.padded(33_000_000),
    )


def _said_now_and_then(seconds: float, honest: Tally, hostile: Tally) -> None:
    """Wait so long, and say every minute how it goes."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        load = psutil.getloadavg()[0]
        tallies = f"honest {honest}; hostile {hostile.said()}"
        print(f"    {left / 60:.1f} min left; {tallies}; load {load:.1f}", flush=True)
        time.sleep(min(60, left))


def test_soak(row: Row) -> None:
    """30 minutes of honest calls and feedback of two signed clients, beside a signed client that
    sends bodies without an end, 17 MB, megabytes of names, 50,000 entries, floods of feedback,
    tokens used twice and calls to a FHIR server that hangs, and beside strangers who hold
    connections, send tokens made up, and break off

    every honest call is answered 200 with its cards, p99 below 250 ms, /healthz within 100 ms; no
    acknowledged feedback is lost; no worker dies or grows; nothing unforeseen is logged
    """
    seconds = row.minutes * 60 if row.minutes else row.many(1800, 40)
    honest = [Signer("https://north.example"), Signer("https://south.example")]
    hostile = Signer("https://hostile.example")
    calls, feedback = _same_cards(), _Signed(honest[0])
    attacked = Tally(lambda answered: answered.status not in (500, 502))
    with Loopback(lambda _asked: [FOREVER]) as hung, ExitStack() as load:
        base = f"http://{HOST}:{hung.server_address[1]}/fhir"
        hostile.entry["fhir_servers"] = [base]
        granted = {"access_token": "x", "token_type": "Bearer", "expires_in": 300,
                   "scope": "patient/*.read", "subject": "hostile"}  # fmt: skip
        asking = view(None, fhirServer=base, fhirAuthorization=granted)
        settings = {"TRUSTED_CLIENTS": client_list(row.folder, *honest, hostile)}
        service = load.enter_context(serving(row.folder, settings=settings))
        port = service.port
        for signer in honest:
            source = attacks.endless(signer, *(one for one in good_calls() if one.path == VIEW))
            load.enter_context(under_load(port, source, calls, 1, pause_s=_HONEST_PAUSE_S))
        load.enter_context(under_load(port, feedback.calls(), feedback, 1, pause_s=1))
        load.enter_context(
            under_load(port, attacks.endless(hostile, asking, *_cheap()), attacked, 1, pause_s=0.5)
        )
        load.enter_context(
            under_load(port, attacks.endless(hostile, *_dear()), attacked, 1, fresh=True, pause_s=6)
        )
        made_up = hostile.call()
        again = (made_up, Call(made_up.path, made_up.body, {"Authorization": "Bearer a.b.c"}))
        load.enter_context(under_load(port, again, attacked, 1, fresh=True, pause_s=0.3))
        ended = threading.Event()
        load.callback(ended.set)
        threading.Thread(target=attacks.hungry, args=(port, ended, 60), daemon=True).start()
        time.sleep(min(30, seconds / 4))
        workers = [one.pid for one in service.worker_processes()]
        before = attacks.resident_mb(workers)
        left = seconds - min(30, seconds / 4)
        with watched(port) as health:
            _said_now_and_then(left, calls, attacked)
        after = attacks.resident_mb(workers)
        alive = [one.pid for one in service.worker_processes()]
        ended.set()
        row.must(alive == workers, f"workers {workers} became {alive}")
        row.must_be_clean(service)
    row.must_be_right("honest", calls, feedback)
    row.must_be_right("hostile", attacked)
    p99 = calls.quantile_ms(0.99)
    row.must(health.in_time, str(health))
    row.must(p99 < _P99_MS, f"honest p99 {p99:.0f} ms")
    row.must(after - before < _GROWN_MB, f"a worker grew from {before:.0f} to {after:.0f} MB")
    row.must_be_kept(feedback, stored_cards(row.folder))
    minutes = seconds / 60
    row.figure(f"{minutes:g} minutes; honest: {calls}, p50 {calls.quantile_ms(0.5):.0f} ms; "
               f"feedback {feedback}")  # fmt: skip
    row.figure(f"hostile: {attacked.said()}, and 60 strangers' connections at a time")
    row.figure(f"{health}; largest worker {before:.0f} MB "
               f"after the first half minute, {after:.0f} MB at the end")  # fmt: skip
