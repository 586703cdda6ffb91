"""FHIR and key servers that are slow, die and come back, under load."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.fhir_client.loopback import Loopback, reply
from tests.testing import fhir
from tests.testing.serving import HOST, serving, until
from tools.faults.calls import Signer, client_list, good_calls, view, view_call
from tools.faults.conftest import Row
from tools.faults.load import Client, Tally, flaw, under_load
from tools.faults.proxy import Proxy

_WITHIN_S = 5.0  # the default of CDS_FHIR_DEADLINE, and slack for a loaded machine


def _record() -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """A patient's id and resources by type, from a scenario with cards."""
    request = json.loads(view_call().body)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for value in filter(None, request["prefetch"].values()):
        for resource in [one["resource"] for one in value.get("entry", ())] or [value]:
            kinds.setdefault(resource["resourceType"], []).append(resource)
    return str(request["context"]["patientId"]), kinds


def test_fhir_server(row: Row) -> None:
    """calls without prefetch while the FHIR server dies, returns, takes 10 s, and dies again

    every call is answered within the deadline of 3 s and 2 s of slack: cards, or 412 that nothing
    could be obtained; cards again within 3 s of the return; others are served
    """
    patient, kinds = _record()

    def page(target: str) -> dict[str, Any]:
        if "/Patient/" in target:
            return kinds["Patient"][0]
        return fhir.searchset(*kinds.get(target.rpartition("?")[0].rpartition("/")[2], []))

    others = Tally()
    tallies: dict[str, Tally] = {}
    again: list[float] = []
    with Loopback(lambda asked: [reply(page(asked.target))]) as server:
        proxy = Proxy(server.server_address[1])
        base = f"http://{HOST}:{proxy.port}/fhir"
        context = {"userId": "Practitioner/1", "patientId": patient}
        asking = (view(None, context=context, fhirServer=base),)
        with (
            serving(row.folder, settings={"FHIR_SERVERS": base, "FHIR_OPEN": "1"}) as service,
            under_load(service.port, good_calls(), others, 2),
        ):
            client = Client(service.port, fresh=True)

            def all_have_cards() -> bool:
                return all(client.send(asking[0]).status == 200 for _ in range(20))

            for state in ("up", "dead", "back", "slow", "dead while slow", "back again"):
                if state.startswith("dead"):
                    proxy.die()
                elif state.startswith("back"):
                    proxy.return_()
                    # A server that did not answer is left alone for a while, by each worker.
                    again.append(until(all_have_cards, "cards again", 20))
                elif state == "slow":
                    proxy.delay_s = 10.0
                if state == "back":
                    client = Client(service.port, fresh=True)
                    returned = until(
                        lambda client=client: client.send(asking[0]).status == 200,  # type: ignore[misc]
                        "cards",
                    )
                    time.sleep(1.5)  # by then the other worker has tried it again, too
                tally = tallies[state] = Tally(lambda answered: not flaw(answered))
                with under_load(service.port, asking, tally, pause_s=0.01):
                    time.sleep(row.many(12, 5))
            row.must_be_clean(service)
        proxy.die()
    for state, tally in tallies.items():
        row.must_be_right(state, tally)
        slowest = tally.quantile_ms(1) / 1000
        row.must(slowest < _WITHIN_S, f"{state}: an answer took {slowest:.1f} s")
        if state in ("up", "back"):
            row.must(tally.statuses[200] == tally.total, f"{state}: {tally.said()}")
    row.must(tallies["back again"].statuses[200] > 0, "back again: no cards")
    row.must(returned < 3, f"cards only {returned:.1f} s after the return")
    row.must_be_right("others", others)
    row.figure("; ".join(f"{state}: {tally.said()}" for state, tally in tallies.items()))
    slowest = max(tally.quantile_ms(1) for tally in tallies.values()) / 1000
    row.figure(f"slowest answer {slowest:.1f} s (deadline 3 s); others: {others}")
    row.figure(f"cards from every worker {max(again):.1f} s after the return")


def test_key_server(row: Row) -> None:
    """signed calls while the client's key server (jku) dies, a worker is killed, and it returns

    known keys go on being accepted; a new worker refuses (401) what it cannot verify; all accepted
    after the return; clients with listed keys notice nothing but the kill
    """
    inline = Signer("https://inline.example")
    others = Tally()
    phases: dict[str, Tally] = {}
    with Loopback(lambda _asked: [reply(fetched.key_set)]) as server:
        proxy = Proxy(server.server_address[1])
        jku = f"http://{HOST}:{proxy.port}/jwks.json"
        fetched = Signer("https://fetched.example", jku)
        settings = {"TRUSTED_CLIENTS": client_list(row.folder, inline, fetched)}
        retry = 3 if row.quick else None
        with (
            serving(row.folder, settings=settings, key_retry_s=retry) as service,
            under_load(service.port, inline.calls(), others, 1, pause_s=0.01),
        ):

            def phase(name: str, right: tuple[int, ...] = (200,)) -> None:
                tally = phases[name] = Tally(right)
                with under_load(service.port, fetched.calls(), tally, 2, fresh=True, pause_s=0.01):
                    time.sleep(row.many(6, 3))

            phase("up")
            proxy.die()
            phase("dead, keys known")
            before = service.started
            service.worker_processes()[0].kill()
            until(lambda: service.started > before, "a new worker")
            phase("dead, one worker new", (200, 401))
            proxy.return_()
            client = Client(service.port, fresh=True)
            more = fetched.calls()
            took = until(
                lambda: all(client.send(next(more)).status == 200 for _ in range(20)),
                "acceptance by all workers", 90,
            )  # fmt: skip
            phase("back")
            row.must_be_clean(service)
        proxy.die()
    for name, tally in phases.items():
        row.must_be_right(name, tally)
    refused = [one for one in others.wrong if not one.lost]
    row.must(not refused, f"clients with listed keys: {others.said()}")
    row.must(len(others.wrong) <= 1, f"clients with listed keys: {others.said()}")
    row.figure("; ".join(f"{name}: {tally.said()}" for name, tally in phases.items()))
    retried = "with the retry of 60 s shortened to 3 s" if row.quick else "it asks once a minute"
    row.figure(f"accepted by every worker {took:.0f} s after the return ({retried})")
    row.figure(f"clients with listed keys meanwhile: {others.said()}")
