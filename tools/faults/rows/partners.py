"""FHIR and key servers that are slow, die and come back, under load."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tools.faults.bodies import asking, good_calls, view_call
from tools.faults.callers import Signer, client_list
from tools.faults.load import Answered, Client, Tally, endless, flaw, under_load
from tools.faults.partners import WebServer
from tools.faults.run import Row, Run, pause
from tools.faults.service import HOST, serving, until

_DEADLINE_S = 3.0  # the default of CDS_FHIR_DEADLINE
_SLACK_S = 2.0  # for waiting at the gate and for threads, on a loaded machine


def _record() -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """A patient's id and resources by type, from a scenario with cards."""
    request = json.loads(view_call().body)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for value in request["prefetch"].values():
        if isinstance(value, dict):
            found = [one["resource"] for one in value.get("entry", ())] or [value]
            for resource in found:
                kinds.setdefault(resource["resourceType"], []).append(resource)
    return str(request["context"]["patientId"]), kinds


def _fhir_server(run: Run) -> None:
    patient, kinds = _record()

    def page(target: str) -> bytes:
        kind = target.rpartition("?")[0].rpartition("/")[2] or target.split("/")[-2]
        found = kinds.get(kind, [])
        if kind == "Patient":
            return json.dumps(found[0]).encode()
        entries = [{"resource": one} for one in found]
        return json.dumps(
            {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        ).encode()

    server = WebServer(page)
    base = f"http://{HOST}:{server.port}/fhir"
    settings = {"FHIR_SERVERS": base, "FHIR_OPEN": "1"}
    call = asking(base, patient)
    seconds = run.many(12, 5)
    others = Tally(keep=lambda answered: answered.status != 200)
    tallies: dict[str, Tally] = {}
    server.start()
    try:
        with (
            serving(run.folder, settings=settings) as service,
            under_load(service.port, endless(good_calls()), others.add, 2, pause_s=0.005),
        ):
            for state in ("up", "dead", "back", "slow", "dead while slow", "back again"):
                if state.startswith("dead"):
                    server.die()
                elif state.startswith("back"):
                    server.delay_s = 0.0
                    server.start()
                elif state == "slow":
                    server.delay_s = 10.0
                tally = tallies[state] = Tally(keep=lambda answered: bool(flaw(answered)))
                with under_load(service.port, endless([call]), tally.add, 4, pause_s=0.01):
                    pause(seconds)
                run.say(f"    {state}: {tally.said()}, p99 {tally.quantile_ms(0.99):.0f} ms")
            run.must_be_clean(service)
    finally:
        server.die()
    for state, tally in tallies.items():
        run.must(not tally.kept, f"{state}: {[flaw(one) for one in tally.kept[:3]]}")
        slowest = tally.quantile_ms(1) / 1000
        run.must(slowest < _DEADLINE_S + _SLACK_S, f"{state}: an answer took {slowest:.1f} s")
    for state in ("up", "back"):
        good = tallies[state].statuses[200]
        run.must(good == tallies[state].total, f"{state}: {tallies[state].said()}")
    run.must(tallies["back again"].statuses[200] > 0, "back again: no cards")
    run.must(not others.kept, f"others: {others.said()}")
    run.figure("; ".join(f"{state}: {tally.said()}" for state, tally in tallies.items()))
    run.figure(
        f"slowest answer {max(t.quantile_ms(1) for t in tallies.values()) / 1000:.1f} s "
        f"(deadline {_DEADLINE_S:g} s); others: {others.said()}, "
        f"p99 {others.quantile_ms(0.99):.0f} ms"
    )


def _key_server(run: Run) -> None:
    inline = Signer("https://inline.example")
    server = WebServer(lambda _target: json.dumps(fetched.key_set).encode())
    fetched = Signer("https://fetched.example", f"http://{HOST}:{server.port}/jwks.json")
    settings = {"TRUSTED_CLIENTS": client_list(run.folder, inline, fetched)}
    others = Tally(keep=lambda answered: answered.status != 200)
    phases: dict[str, Tally] = {}
    seconds = run.many(6, 3)
    server.start()
    try:
        with (
            serving(run.folder, settings=settings, key_retry_s=3 if run.quick else None) as service,
            under_load(service.port, inline.calls, others.add, 1, pause_s=0.01),
        ):

            def phase(name: str) -> None:
                tally = phases[name] = Tally(keep=_not_200_or_401)
                with under_load(
                    service.port, fetched.calls, tally.add, 2, fresh=True, pause_s=0.01
                ):
                    pause(seconds)
                run.say(f"    {name}: {tally.said()}")

            phase("up")
            server.die()
            phase("dead, keys known")
            os.kill(service.worker_pids()[0], signal.SIGKILL)
            started = service.log.count("Started worker-")
            until(lambda: service.log.count("Started worker-") >= max(3, started), "a new worker")
            phase("dead, one worker new")
            server.start()
            client = Client(service.port, fresh=True)
            row = 0

            def all_accept() -> bool:
                nonlocal row
                row = row + 1 if client.send(fetched.call()).status == 200 else 0
                return row >= 20

            took = until(all_accept, "acceptance by all workers", 90)
            phase("back")
            run.must_be_clean(service)
    finally:
        server.die()
    lost_with_worker = [one for one in others.kept if one.lost]
    refused = [one for one in others.kept if not one.lost]
    for name, tally in phases.items():
        run.must(not tally.kept, f"{name}: {tally.said()}")
    for name in ("up", "dead, keys known", "back"):
        good = phases[name].statuses[200] == phases[name].total
        run.must(good, f"{name}: {phases[name].said()}")
    run.must(not refused, f"clients with listed keys: {others.said()}")
    run.must(len(lost_with_worker) <= 1, f"clients with listed keys: {others.said()}")
    run.figure("; ".join(f"{name}: {tally.said()}" for name, tally in phases.items()))
    run.figure(
        f"accepted by every worker {took:.0f} s after the return"
        + (
            " (with the retry of 60 s shortened to 3 s)"
            if run.quick
            else " (it asks once a minute)"
        )
    )
    run.figure(f"clients with listed keys meanwhile: {others.said()}")


def _not_200_or_401(answered: Answered) -> bool:
    return answered.status not in (200, 401)


ROWS = (
    Row(
        "fhir-server",
        "calls without prefetch while the FHIR server dies, returns, takes 10 s, and dies again",
        "every call is answered within the deadline of 3 s and 2 s of slack: cards, or 412 that "
        "nothing could be obtained; cards again after the return; others are served",
        _fhir_server,
    ),
    Row(
        "key-server",
        "signed calls while the client's key server (jku) dies, a worker is killed, and it returns",
        "known keys go on being accepted; a new worker refuses (401) what it cannot verify; all "
        "accepted after the return; clients with listed keys notice nothing but the kill",
        _key_server,
    ),
)
