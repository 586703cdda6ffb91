"""The pieces of the benchmark work: bodies, tokens, load, figures, goals, document."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.errors import Unauthorized
from cds_service.settings import read_settings
from cds_service.trust.callers import Callers
from cds_service.trust.clients import load_clients
from cds_service.trust.keys import KeySets
from tests.bench.counting import Counting, counting_server
from tools.bench import bodies, breakdown, fhir_stub, fixed, load, plan, report, servers
from tools.bench.goals import Process, goals
from tools.bench.load import Figures, Job
from tools.bench.plan import Entry, Measured, Scenario, measured
from tools.bench.scenarios import CARDS, FIXED, OURS, PEER, PEER_INSTALLED, see_that_it_works
from tools.bench.servers import Memory
from tools.bench.tokens import ALLOW, REJECT, Signer

STEADY = Memory(50.0, 40.0)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("bench")
    return make_parts(read_settings(database_url=f"sqlite:///{folder}/bench.db"))


def test_a_hundred_results_weigh_what_laboratories_send():
    assert 135_000 < len(bodies.patient_view(100, now=NOW)) < 150_000


def test_the_patient_with_cards_gets_several_and_the_other_none(parts):
    assert len(ask(parts, bodies.patient_view(100, now=NOW), NOW).cards) >= 5
    assert ask(parts, bodies.patient_view(100, cards=False, now=NOW), NOW).cards == ()


def test_the_five_drafts_are_judged(parts):
    answered = ask(parts, bodies.order_select(100, now=NOW), NOW)
    assert {card.rule.id for card in answered.cards} >= {
        "quinine-ordered",
        "baclofen-ordered-renal-impairment",
    }


@pytest.mark.parametrize("observations", [10, 100])
def test_nothing_in_the_bodies_is_a_problem(parts, observations):
    answered = ask(parts, bodies.patient_view(observations, now=NOW), NOW)
    assert answered.problems == ()
    assert answered.refused == {}


def test_the_pages_of_the_fhir_server_are_the_prefetch():
    call = json.loads(bodies.patient_view(20, now=NOW))
    assert json.loads(bodies.pages(20, now=NOW)["Observation"]) == call["prefetch"]["results"]


def test_each_token_is_accepted_once_by_the_client_that_rejects_replay(tmp_path):
    class Once:
        def __init__(self) -> None:
            self.used: set[str] = set()

        def first_use(self, client: str, jti_digest: str, expires: float, *_more: object) -> bool:
            first = jti_digest not in self.used
            self.used.add(jti_digest)
            return first

    signer = Signer()
    clients = load_clients(str(signer.client_list(tmp_path / "clients.json")))
    callers = Callers(clients, "http://127.0.0.1:1", KeySets(), Once())
    path = "/cds-services/leg-cramps-patient-view"
    one, two = signer.tokens(REJECT, f"http://127.0.0.1:1{path}", 2)
    (again,) = signer.tokens(ALLOW, f"http://127.0.0.1:1{path}", 1)
    for token in (one, two, again, again):
        callers.verify(f"Bearer {token}", path)
    with pytest.raises(Unauthorized):
        callers.verify(f"Bearer {one}", path)


@pytest.mark.parametrize(
    "generator",
    [
        pytest.param(load.with_python, id="python"),
        pytest.param(
            load.with_wrk,
            id="wrk",
            marks=pytest.mark.skipif(not load.has_wrk(), reason="wrk is not installed"),
        ),
    ],
)
def test_each_token_of_a_file_is_sent_once_and_then_the_load_ends(tmp_path, generator):
    body, tokens = tmp_path / "body.json", tmp_path / "tokens.txt"
    body.write_bytes(b"{}")
    tokens.write_text("".join(f"token-{number}\n" for number in range(5)))
    with counting_server() as port:
        figures = generator(Job(port, "/", body, 1, 1.0, tokens))
        assert len(Counting.seen) == 5
    # wrk has one request on its way when it learns that there are no more.
    assert 5 <= figures.requests <= 6
    assert figures.failed <= 1


def test_one_token_is_sent_again_and_refusals_are_counted(tmp_path):
    body, tokens = tmp_path / "body.json", tmp_path / "tokens.txt"
    body.write_bytes(b"{}")
    tokens.write_text("the-one\n")
    with counting_server() as port:
        figures = load.with_python(Job(port, "/", body, 2, 0.1, tokens))
    assert figures.requests > 2
    assert figures.failed == figures.requests - 1
    assert 0 < figures.p50_ms <= figures.p95_ms <= figures.p99_ms


def test_the_line_of_the_script_is_read():
    line = (
        '{"requests":50,"seconds":2.0,"p50_ms":1.5,"p95_ms":7.0,"p99_ms":9.0,"refused":1,"lost":2}'
    )
    assert load.figures_of(line) == Figures(25.0, 1.5, 7.0, 9.0, 50, 3)


def test_contestants_take_turns_and_have_as_many(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "run", load.with_python)
    body = tmp_path / "body.json"
    body.write_bytes(b"{}")
    with counting_server() as port:
        entries = (Entry("one", port, "/", body), Entry("two", port, "/", body))
        outcome = measured(Scenario("turns", 0, 1, entries, 0.05), rounds=2, warm_up_s=0.05)
    assert [len(turns) for turns in outcome.turns.values()] == [2, 2]
    assert outcome.failed("one") == 0


def test_the_host_is_named_in_requests(tmp_path):
    body = tmp_path / "body.json"
    body.write_bytes(b"{}")
    with counting_server() as port:
        figures = load.run(Job(port, "/", body, 1, 0.1))
    assert figures.requests > 0
    assert figures.failed == 0


def test_a_peer_that_fails_in_silence_is_told():
    with (
        counting_server() as port,
        pytest.raises(RuntimeError, match="peer gave no cards at /cds"),
    ):
        see_that_it_works(servers.Server("peer", port))


def _measured(observations: int, connections: int, **turns: list[Figures]) -> Measured:
    names = {"ours": OURS, "fixed": FIXED, "peer": PEER, "installed": PEER_INSTALLED}
    scenario = Scenario(CARDS, observations, connections, (), 1.0)
    return Measured(scenario, {names[name]: figures for name, figures in turns.items()})


def _figures(per_second: float, p50_ms: float = 1.0) -> Figures:
    return Figures(per_second, p50_ms, 2.0, 2.0, 100, 0)


def test_a_ratio_is_the_median_of_turns_side_by_side():
    one = _measured(
        100,
        16,
        ours=[_figures(90), _figures(10), _figures(50)],
        fixed=[_figures(100), _figures(20), _figures(50)],
    )
    assert one.rate_ratio(OURS, FIXED) == pytest.approx(0.9)


@pytest.mark.parametrize(("rate", "reached"), [(80, True), (79, False)])
@pytest.mark.parametrize(("key", "name"), [("peer", PEER), ("installed", PEER_INSTALLED)])
def test_eight_times_the_peer_is_reached_at_eight(key, name, rate, reached):
    turns = {"ours": [_figures(rate)], "fixed": [_figures(100)], key: [_figures(10)]}
    one = _measured(100, 16, **turns)
    found = {goal.what: goal for goal in goals([one], Process(0.1, 0.1, STEADY, STEADY))}
    assert found[f"100 results, cards, 16 connections: against {name}"].reached is reached


def test_memory_that_grows_misses_its_goal():
    found = [
        goal
        for goal in goals([], Process(0.1, 0.1, Memory(50.0, 40.0), Memory(60.0, 40.0)))
        if not goal.reached
    ]
    assert [goal.found for goal in found] == ["1.20 ×"]


def test_the_document_has_every_place_filled():
    one = _measured(100, 16, ours=[_figures(80)], fixed=[_figures(100)], peer=[_figures(10)])
    stages = {key: {"a stage": 1.0, breakdown.WHOLE: 2.0} for key in report.COLUMNS}
    process = Process(0.1, 0.1, STEADY, STEADY)
    text = report.document([one], goals([one], process), stages, 3, 7.0)
    assert "{{" not in text
    assert "| patient-view, several cards | 100 | 16 | service | 80 |" in text


@pytest.mark.parametrize(("label", "module", "attribute"), breakdown.STAGES)
def test_every_stage_of_the_breakdown_exists(label, module, attribute):
    assert callable(breakdown.owner_of(module, attribute)[2])


def test_an_outer_stage_does_not_hold_the_time_of_an_inner_one():
    ticks = iter([0.0, 1.0, 4.0, 10.0])
    watch = breakdown.Stopwatch(lambda: next(ticks))
    inner = watch.around("inner", lambda: None)
    watch.around("outer", inner)()
    assert watch.taken == {"inner": 3.0, "outer": 7.0}


def test_the_yardstick_parses_what_it_gets():
    app = fixed.make_app()
    app.testing = True
    assert app.test_client().post("/fixed", data=b'{"a":1}').json == fixed.CARD
    with pytest.raises(ValueError, match="unexpected"):
        app.test_client().post("/fixed", data=b"{")


def test_the_fhir_server_answers_queries_side_by_side():
    port = servers.free_port()
    stop = asyncio.Event()

    def serve() -> None:
        async def until_stopped() -> None:
            task = asyncio.create_task(
                fhir_stub.serve(port, {"Patient": b'{"resourceType":"Patient"}'}, 0.0)
            )
            loops.append(asyncio.get_running_loop())
            await stop.wait()
            task.cancel()

        asyncio.run(until_stopped())

    loops: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        answers = [_get(port, path) for path in ("/fhir/Patient/bench-1", "/fhir/Nothing")]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
    assert [status for status, _ in answers] == [200, 404]
    assert json.loads(answers[0][1]) == {"resourceType": "Patient"}


def _get(port: int, path: str) -> tuple[int, bytes]:
    for _ in range(1000):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except ConnectionRefusedError:
            continue
        finally:
            connection.close()
    raise AssertionError("the server never listened")


def test_a_server_is_ended_with_everything_it_started(tmp_path):
    port = servers.free_port()
    command = servers.fixed_command(port, 1)
    with servers.running("fixed", command, port, tmp_path) as server:
        (worker,) = servers.children(server.pid)
        assert servers.largest_worker(server).resident > 10
        assert _get(port, "/healthz")[0] == 200
    assert not Path(f"/proc/{worker}").exists()


def test_a_server_that_ends_at_once_is_told(tmp_path):
    with (
        pytest.raises(RuntimeError, match=re.escape("false ended with status 1")),
        servers.running("false", ["false"], servers.free_port(), tmp_path),
    ):
        pass
