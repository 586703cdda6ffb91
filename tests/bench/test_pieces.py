"""The pieces of the benchmark: bodies, load, servers, figures, goals, document."""

from __future__ import annotations

import json
import os
import shutil
import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.settings import read_settings
from tests.testing.serving import Server, running, serving
from tests.testing.thorough import thorough
from tools.bench import agreement, bodies, contestants, fixed, measure, report, servers
from tools.bench.contestants import CHAIN_FHIR, CHAIN_PLAIN, FIXED, SERVICE, VIEW_PATH
from tools.faults.load import Post, Sender

pytestmark = thorough  # of the tools

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CARDS_16 = "eight cards/100/16/2"
needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("bench")
    return make_parts(read_settings(database_url=f"sqlite:///{folder}/bench.db"))


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory):
    with running(contestants.other(FIXED, 2, tmp_path_factory.mktemp("floors"))) as server:
        yield server


def test_a_hundred_results_weigh_what_laboratories_send():
    assert 135_000 < len(bodies.patient_view(100, now=NOW)) < 150_000


def test_the_patient_with_cards_gets_several_and_the_other_none(parts):
    assert len(ask(parts, bodies.patient_view(100, now=NOW), NOW).cards) >= 5
    assert ask(parts, bodies.patient_view(100, cards=False, now=NOW), NOW).cards == ()


def test_all_three_rules_of_the_peer_have_something_to_say(parts):
    fired = {card.rule.id for card in ask(parts, bodies.patient_view(100, now=NOW), NOW).cards}
    assert fired >= set(agreement.RULES.values())


def test_the_five_drafts_are_judged(parts):
    answer = ask(parts, bodies.order_select(100, now=NOW), NOW)
    assert {card.rule.id for card in answer.cards} >= {
        "quinine-ordered",
        "baclofen-ordered-renal-impairment",
    }


@pytest.mark.parametrize("results", [10, 100])
def test_nothing_in_the_bodies_is_a_problem(parts, results):
    answer = ask(parts, bodies.patient_view(results, now=NOW), NOW)
    assert answer.problems == ()
    assert answer.refused == {}


@pytest.mark.parametrize("path", ["/parsed", "/flask", "/wsgi"])
def test_the_floors_answer_a_card(floors, path):
    answer = Sender(floors.port, fresh=True).send(Post(path, b'{"a":1}'))
    assert (answer.status, json.loads(answer.body)) == (200, {"cards": [fixed.CARD]})


def test_only_one_of_the_floors_parses(floors):
    assert Sender(floors.port, fresh=True).send(Post("/parsed", b"{")).status == 500
    assert Sender(floors.port, fresh=True).send(Post("/flask", b"{")).status == 200


@needs_wrk
def test_the_load_is_counted_on_the_server_that_carries_it(floors, tmp_path):
    body = tmp_path / "body.json"
    body.write_bytes(b'{"a":1}')
    figures = servers.loaded(floors, "/parsed", body, 2, 1)
    assert figures["rate"] > 10
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert figures["cpu_ms"] > 0
    assert figures["failed"] == 0


@needs_wrk
def test_unsuccessful_answers_are_counted(floors, tmp_path):
    body = tmp_path / "body.json"
    body.write_bytes(b"{")
    assert servers.loaded(floors, "/parsed", body, 1, 1)["failed"] > 0


def test_connections_opened_at_once_are_spread_over_the_workers(tmp_path):
    with serving(tmp_path) as server:
        for _ in range(3):
            connections = servers.spread(server, 40)
            assert len(connections) == 2
            assert sum(connections) == 40
            # Each worker is drawn independently: so uneven a spread occurs once in ten million.
            assert min(connections) >= 4


def test_memory_and_peaks_are_those_of_the_largest_worker(floors):
    memory = servers.memory(floors)
    assert 10 < memory["share"] <= memory["after"] <= memory["peak"] * 1.01
    servers.forget_peaks(floors)
    assert servers.memory(floors)["peak"] >= memory["after"] * 0.9


def test_processor_time_is_the_processes_own():
    this_process = SimpleNamespace(process=psutil.Process(), worker_processes=list)
    before = servers.processor_s(this_process)
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert 0.03 <= servers.processor_s(this_process) - before < 5


def test_a_server_is_stopped_with_everything_it_started(tmp_path):
    with running(contestants.other(FIXED, 1, tmp_path)) as server:
        (worker,) = server.worker_processes()
    psutil.wait_procs([worker], timeout=5)
    # The process that adopts it may be slow to notice that it has ended.
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_a_server_that_ends_at_once_is_reported(tmp_path):
    with (
        pytest.raises(RuntimeError, match="the server ended with 1"),
        running(Server(["false"], {"PATH": os.environ["PATH"]}, tmp_path)),
    ):
        pass


def test_a_peer_that_gives_no_cards_is_reported(floors):
    with pytest.raises(RuntimeError, match=r"^1 cards at /flask \(200\), not 3"):
        contestants.check_cards(floors, "/flask", 3)


def _turn(rate: float, cpu_ms: float = 1.0) -> dict[str, Any]:
    return {"rate": rate, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_ms": cpu_ms, "failed": 0}


def _run(**names: list[dict[str, Any]]) -> report.Run:
    known = {"ours": SERVICE, "fixed": FIXED, "chain": CHAIN_FHIR, "plain": CHAIN_PLAIN}
    return {"rows": {CARDS_16: {known[name]: turns for name, turns in names.items()}}}


def test_a_ratio_is_the_median_of_turns_side_by_side():
    run = _run(ours=[_turn(90), _turn(10), _turn(50)], fixed=[_turn(100), _turn(20), _turn(50)])
    assert report.ratio(run, CARDS_16, SERVICE, FIXED, "rate") == pytest.approx(0.9)


@pytest.mark.parametrize(("cpu_ms", "reached"), [(15.0, True), (14.9, False)])
def test_fifteen_times_the_peer_is_reached_at_fifteen(cpu_ms, reached):
    goals = report.goals(_run(ours=[_turn(99)], chain=[_turn(99, cpu_ms)]))
    assert [each.reached for each in goals] == [reached]


def test_a_goal_that_one_turn_misses_is_missed():
    turns = [_turn(99, cpu_ms) for cpu_ms in (20.0, 14.0, 20.0)]
    (goal,) = report.goals(_run(ours=[_turn(99)] * 3, chain=turns))
    assert (goal.held, goal.turns, goal.reached) == (2, 3, False)


def test_what_was_not_measured_is_not_a_goal():
    assert report.goals({"rows": {}}) == []


def test_every_goal_names_a_scenario_that_is_measured():
    measured = {
        scenario.key: {name: [_turn(10, 2.0)] for name in scenario.names}
        for scenario in measure.SCENARIOS[::-1]
    }
    for scenario in measure.SCENARIOS:
        measured[scenario.key] |= {name: [_turn(10, 2.0)] for name in scenario.names}
    memory = [{"what": "x", "after": 50.0, "share": 40.0, "peak": 60.0, "status": 200}] * 3
    names = ("eight cards", "no card")
    run = {
        "rows": measured,
        "release": {
            f"{name}, 100 results": {"now": {"ratio": 1.0, "thirds": [1.0] * 3}} for name in names
        },
        "memory": memory,
        "starts": {"rules": 0.1, "ready": 0.5},
        "spread": {"2": [[7, 9]]},
    }
    assert len(report.goals(run)) == len(report.GOALS.read_text().splitlines()) - 1


def test_the_page_is_what_its_figures_say():
    from tools.bench.__main__ import DOCUMENT, FIGURES

    run = json.loads(FIGURES.read_text())
    page = report.document(DOCUMENT.read_text(), run)
    assert all(f"- `{case[0]}`: " in page for case in run["agreement"]["differ"]), "say why"
    assert DOCUMENT.read_text() == page, "python -m tools.bench --from-figures"


def test_the_clients_token_is_accepted(tmp_path):
    from contextlib import ExitStack

    with ExitStack() as stack:
        ground = contestants.Ground(tmp_path, stack)
        server = ground.server(contestants.TOKENS, 1)
        body = bodies.patient_view(10)
        token = {"Authorization": f"Bearer {ground.token()}"}
        client = Sender(server.port, fresh=True)
        assert client.send(Post(VIEW_PATH, body)).status == 401
        assert client.send(Post(VIEW_PATH, body, token)).status == 200
