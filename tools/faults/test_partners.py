"""FHIR and key servers that are slow, die and come back, under load."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.fhir_client.loopback import Loopback, reply
from tests.testing import fhir
from tests.testing.serving import HOST, until
from tools.faults.calls import VIEW, Signer, client_list, good_calls, view
from tools.faults.conftest import Row
from tools.faults.load import Client, flaw
from tools.faults.proxy import Proxy

_WITHIN_S = 5.0  # the default of CDS_FHIR_DEADLINE, and slack for a loaded machine


def _record() -> tuple[str, dict[str, list[dict[str, Any]]]]:
    """A patient's id and resources by type, from a scenario with cards."""
    request = json.loads(good_calls(VIEW)[0].body)
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

    with Loopback(lambda asked: [reply(page(asked.target))]) as server:
        proxy = Proxy(server.server_address[1])
        base = f"http://{HOST}:{proxy.port}/fhir"
        asking = view(None, context={"userId": "Practitioner/1", "patientId": patient},
                      fhirServer=base)  # fmt: skip

        def wait_for_cards(times: int) -> float:
            """Seconds until so many calls one after another have cards."""
            return until(lambda: {one.status for one in row.sent(asking, times)} == {200}, "cards")

        with row.serving(FHIR_SERVERS=base, FHIR_OPEN="1"), row.load("others", good_calls(), 2):
            for state in ("up", "dead", "back", "slow", "dead while slow", "back again"):
                if state.startswith("dead"):
                    proxy.die()
                elif state.startswith("back"):
                    proxy.return_()
                    returned = wait_for_cards(1)
                    # A server that did not answer is left alone for a while, by each worker.
                    everywhere = returned + wait_for_cards(20)
                    row.must(returned < 3, f"{state}: cards only {returned:.1f} s after the return")
                    row.figure(f"{state}: cards from every worker after {everywhere:.1f} s")
                    time.sleep(1.5)  # by then the other worker has tried it again, too
                elif state == "slow":
                    proxy.delay_s = 10.0
                tally = row.loaded(
                    row.many(12, 5), state, (asking,), right=lambda one: not flaw(one), pause_s=0.01
                )
                slowest = tally.quantile_ms(1) / 1000
                row.must(slowest < _WITHIN_S, f"{state}: an answer took {slowest:.1f} s")
                if state in ("up", "back"):
                    row.must(tally.statuses[200] == tally.total, f"{state}: {tally.said()}")
            row.must(tally.statuses[200] > 0, "back again: no cards")
        proxy.die()


def test_key_server(row: Row) -> None:
    """signed calls while the client's key server (jku) dies, a worker is killed, and it returns

    known keys go on being accepted; a new worker refuses (401) what it cannot verify; all accepted
    after the return; clients with listed keys notice nothing but the kill
    """
    inline = Signer("https://inline.example")
    with Loopback(lambda _asked: [reply(fetched.key_set)]) as server:
        proxy = Proxy(server.server_address[1])
        fetched = Signer("https://fetched.example", f"http://{HOST}:{proxy.port}/jwks.json")
        clients = client_list(row.folder, inline, fetched)
        seconds, retry = row.many(6, 3), 3 if row.quick else None
        lost: list[str] = []  # over the connection to the worker that is killed

        def noticed_nothing(answered: Any) -> bool:
            lost.extend([answered.lost] if answered.lost else ())
            return answered.status == 200 or (bool(answered.lost) and len(lost) == 1)

        def phase(name: str, right: tuple[int, ...] = (200,)) -> None:
            row.loaded(seconds, name, fetched.calls(), 2, right, fresh=True, pause_s=0.01)

        with (
            row.serving(TRUSTED_CLIENTS=clients, key_retry_s=retry) as service,
            row.load("clients with listed keys", inline.calls(), 1, noticed_nothing, pause_s=0.01),
        ):
            phase("up")
            proxy.die()
            phase("dead, keys known")
            before = service.started
            service.worker_processes()[0].kill()
            until(lambda: service.started > before, "a new worker")
            phase("dead, one worker new", (200, 401))
            proxy.return_()
            client, more = Client(service.port, fresh=True), fetched.calls()
            took = until(
                lambda: all(client.send(next(more)).status == 200 for _ in range(20)),
                "acceptance by all workers", 90,
            )  # fmt: skip
            phase("back")
        proxy.die()
    retried = "with the retry of 60 s shortened to 3 s" if row.quick else "it asks once a minute"
    row.figure(f"accepted by every worker {took:.0f} s after the return ({retried})")
