"""The pieces of the benchmark: bodies, load, servers, figures, goals, document."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.settings import read_settings
from tools.bench import agreement, bodies, contestants, fixed, goals, load, measure, report, servers
from tools.bench.contestants import CHAIN_FHIR, CHAIN_PLAIN, FIXED, SERVICE, VIEW_PATH

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CARDS_16 = "eight cards/100/16/2"
needs_wrk = pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("bench")
    return make_parts(read_settings(database_url=f"sqlite:///{folder}/bench.db"))


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory):
    command = [sys.executable, "-m", "tools.bench.fixed", "{port}", "2", "1"]
    with servers.running("floors", command, tmp_path_factory.mktemp("floors")) as server:
        yield server


def test_a_hundred_results_weigh_what_laboratories_send():
    assert 135_000 < len(bodies.patient_view(100, now=NOW)) < 150_000


def test_the_patient_with_cards_gets_several_and_the_other_none(parts):
    assert len(ask(parts, bodies.patient_view(100, now=NOW), NOW).cards) >= 5
    assert ask(parts, bodies.patient_view(100, cards=False, now=NOW), NOW).cards == ()


def test_all_three_rules_of_the_peer_have_something_to_say(parts):
    found = {one.rule.id for one in ask(parts, bodies.patient_view(100, now=NOW), NOW).cards}
    assert found >= set(agreement.RULES.values())


def test_the_five_drafts_are_judged(parts):
    answered = ask(parts, bodies.order_select(100, now=NOW), NOW)
    assert {card.rule.id for card in answered.cards} >= {
        "quinine-ordered",
        "baclofen-ordered-renal-impairment",
    }


@pytest.mark.parametrize("results", [10, 100])
def test_nothing_in_the_bodies_is_a_problem(parts, results):
    answered = ask(parts, bodies.patient_view(results, now=NOW), NOW)
    assert answered.problems == ()
    assert answered.refused == {}


def test_hostile_calls_are_json_but_for_their_fault():
    for name, body in measure.hostile().items():
        if "deep" not in name and "digits" not in name:
            assert json.loads(body)["hook"] == "patient-view", name


@pytest.mark.parametrize("path", ["/parsed", "/flask", "/wsgi"])
def test_the_floors_answer_a_card(floors, path):
    assert servers.ask(floors.port, path, b'{"a":1}') == (200, {"cards": [fixed.CARD]})


def test_the_fhir_server_holds_the_prefetch(floors):
    status, patient = servers.ask(floors.port, f"/fhir/Patient/{bodies.PATIENT}", method="GET")
    assert (status, patient["id"]) == (200, bodies.PATIENT)
    assert servers.ask(floors.port, "/fhir/Observation?code=x", method="GET")[1]["total"] == 100
    assert servers.ask(floors.port, "/fhir/AllergyIntolerance", method="GET")[1]["total"] == 0


def test_only_one_of_the_floors_parses(floors):
    assert servers.ask(floors.port, "/parsed", b"{")[0] == 500
    assert servers.ask(floors.port, "/flask", b"{")[0] == 200


@needs_wrk
def test_the_load_is_counted_on_the_server_that_carries_it(floors, tmp_path):
    body = tmp_path / "body.json"
    body.write_bytes(b'{"a":1}')
    figures = load.run(floors, "/parsed", body, 2, 1)
    assert figures.rate > 10
    assert 0 < figures.p50_ms <= figures.p99_ms
    assert figures.cpu_ms > 0
    assert figures.failed == 0


@needs_wrk
def test_unsuccessful_answers_are_counted(floors, tmp_path):
    body = tmp_path / "body.json"
    body.write_bytes(b"{")
    assert load.run(floors, "/parsed", body, 1, 1).failed > 0


def test_connections_opened_at_once_are_spread_over_the_workers(tmp_path):
    command = [contestants.CDS_SERVICE, "serve", "--port", "{port}", "--workers", "2"]
    with servers.running("service", command, tmp_path) as server:
        assert len(server.workers) == 2
        for _ in range(3):
            found = servers.spread(server, 40)
            assert sum(found) == 40
            # Each is drawn for itself: so uneven once in ten million.
            assert min(found) >= 4


def test_memory_and_peaks_are_those_of_the_largest_worker(floors):
    found = floors.memory()
    assert 10 < found["share"] <= found["after"] <= found["peak"] * 1.01
    floors.forget_peaks()
    assert floors.memory()["peak"] >= found["after"] * 0.9


def test_processor_time_is_the_processes_own():
    here = servers.Server("here", 0, os.getpid())
    before = here.processor_s()
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert 0.03 <= here.processor_s() - before < 5


def test_a_server_is_ended_with_everything_it_started(tmp_path):
    command = [sys.executable, "-m", "tools.bench.fixed", "{port}", "1", "1"]
    with servers.running("floor", command, tmp_path) as server:
        (worker,) = server.workers
    assert not worker.is_running()


def test_a_server_that_ends_at_once_is_reported(tmp_path):
    with (
        pytest.raises(RuntimeError, match="false ended with 1"),
        servers.running("false", ["false"], tmp_path),
    ):
        pass


def test_a_peer_that_gives_no_cards_is_reported(floors):
    with pytest.raises(RuntimeError, match=r"floors gave 1 cards at /flask \(200\), not 3"):
        contestants.see_cards(floors, "/flask", 3)


def _turn(rate: float, cpu_ms: float = 1.0) -> dict[str, Any]:
    return {"rate": rate, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_ms": cpu_ms, "failed": 0}


def _run(**names: list[dict[str, Any]]) -> goals.Run:
    known = {"ours": SERVICE, "fixed": FIXED, "chain": CHAIN_FHIR, "plain": CHAIN_PLAIN}
    return {"rows": {CARDS_16: {known[name]: turns for name, turns in names.items()}}}


def test_a_ratio_is_the_median_of_turns_side_by_side():
    run = _run(ours=[_turn(90), _turn(10), _turn(50)], fixed=[_turn(100), _turn(20), _turn(50)])
    assert goals.ratio(run, CARDS_16, SERVICE, FIXED) == pytest.approx(0.9)


@pytest.mark.parametrize(("cpu_ms", "reached"), [(15.0, True), (14.9, False)])
def test_fifteen_times_the_peer_is_reached_at_fifteen(cpu_ms, reached):
    found = goals.goals(_run(ours=[_turn(99)], chain=[_turn(99, cpu_ms)]))
    assert [goal.reached for goal in found] == [reached]


def test_a_goal_that_one_turn_misses_is_missed():
    turns = [_turn(99, cpu_ms) for cpu_ms in (20.0, 14.0, 20.0)]
    (goal,) = goals.goals(_run(ours=[_turn(99)] * 3, chain=turns))
    assert (goal.held, goal.turns, goal.reached) == (2, 3, False)


def test_what_was_not_measured_is_not_a_goal():
    assert goals.goals({"rows": {}}) == []


def test_every_goal_names_a_scenario_that_is_measured():
    measured = {
        at.key: {name: [_turn(10, 2.0)] for name in at.names} for at in measure.SCENARIOS[::-1]
    }
    for at in measure.SCENARIOS:
        measured[at.key] |= {name: [_turn(10, 2.0)] for name in at.names}
    memory = [{"what": "x", "after": 50.0, "share": 40.0, "peak": 60.0, "status": 200}] * 3
    names = ("eight cards", "no card")
    run = {
        "rows": measured,
        "release": {
            f"{one}, 100 results": {"now": {"ratio": 1.0, "thirds": [1.0] * 3}} for one in names
        },
        "memory": memory,
        "starts": {"rules": 0.1, "ready": 0.5},
        "spread": {"2": [[7, 9]]},
    }
    assert len(goals.goals(run)) == len(goals.GOALS.read_text().splitlines()) - 1


def test_the_page_is_what_its_figures_say():
    from tools.bench.__main__ import DOCUMENT, FIGURES

    page = report.document(json.loads(FIGURES.read_text()))
    run = json.loads(FIGURES.read_text())
    assert all(f"- `{one[0]}`: " in page for one in run["agreement"]["differ"]), "say why"
    assert DOCUMENT.read_text() == page, "python -m tools.bench --from-figures"


def test_the_clients_token_is_accepted(tmp_path):
    from contextlib import ExitStack

    with ExitStack() as stack:
        on = contestants.Ground(tmp_path, stack)
        server = on.server(contestants.TOKENS, 1)
        body = bodies.patient_view(10)
        token = {"Authorization": f"Bearer {on.token(server)}"}
        assert servers.ask(server.port, VIEW_PATH, body)[0] == 401
        assert servers.ask(server.port, VIEW_PATH, body, **token)[0] == 200
