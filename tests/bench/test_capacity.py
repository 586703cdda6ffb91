"""The capacity page: its arithmetic, its figures, and that it is what they say."""

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.bench.counting import counting_server
from tools.bench import capacity, capacity_loads, capacity_report, database_size, load, servers
from tools.bench.capacity_figures import (
    CARDS,
    FETCHED,
    NONE,
    ORDERS,
    CapacityFigures,
    Cell,
    WorkerMemory,
    read_figures,
    write_figures,
)
from tools.bench.capacity_loads import Place, measured, places
from tools.bench.database_size import DatabaseFigures, Writes
from tools.bench.demand import ASSUMPTIONS, HOSPITALS, Costs, Hospital, assumed, need, read_changes
from tools.bench.load import Job
from tools.bench.scenarios import AGAIN, ONCE, OPEN

COSTS = Costs(
    cards_ms=2.0,
    none_ms=1.0,
    orders_ms=4.0,
    token_ms=0.5,
    fetched_ms=10.0,
    replica_mb=150.0,
    feedback_bytes=400.0,
    shown_bytes=160.0,
    token_bytes=200.0,
    shown_rows=35,
)
# Easy to follow by hand: only inpatients, and a hundred of them.
BY_HAND = assumed(
    {
        "occupied": 1,
        "openings": 30,
        "visits": 0,
        "picks": 6,
        "busiest_hour": 0.1,
        "burst": 2,
        "with_cards": 0.5,
        "cards": 2,
        "answered": 0.25,
        "missing": 0.5,
        "token_life": 340,
        "core": 0.5,
        "busy": 0.5,
    }
)


def test_the_arithmetic_by_hand():
    found = need(Hospital("a hundred beds", 100), COSTS, BY_HAND)
    # 3,000 openings and 600 picks a day; 360 of these calls in the busiest hour, 0.1 a second.
    assert found.calls_day == 3_600
    assert found.mean_second == pytest.approx(3_600 / 86_400)
    assert found.peak_second == pytest.approx(0.2)
    # An opening 1.5 ms, a pick 4: (3,000 × 1.5 + 600 × 4) / 3,600 = 1.9167; half of all fetch.
    call_ms = 0.5 * 6_900 / 3_600 + 0.5 * 10 + 0.5
    assert found.busy_cores == pytest.approx(0.2 * call_ms / 1000 / 0.5)
    assert found.cores == pytest.approx(2 * found.busy_cores)
    assert found.replicas == 2
    assert found.spare == pytest.approx(1 / found.cores)
    assert found.memory_mb == 300
    # Half of the calls show two cards, a quarter of those are answered.
    assert found.feedback_day == 900
    assert found.database_mb_year == pytest.approx((900 * 400 + 35 * 160) * 365 / 1e6)
    # 0.1 a second in the busiest hour; each is kept 1,000 s.
    assert found.tokens_mb == pytest.approx(100 * 200 / 1e6)
    # Tokens 0.2 a second, feedback a quarter of that, counters of two replicas once a second.
    assert found.writes_second == pytest.approx(0.2 + 0.05 + 1)


def test_one_replica_more_than_the_peak_needs_may_be_away():
    busy = replace(COSTS, cards_ms=2_000.0, none_ms=2_000.0, orders_ms=2_000.0)
    found = need(Hospital("large", 2_000), busy, ASSUMPTIONS)
    assert found.replicas == math.ceil(found.cores) + 1 > 3
    assert (found.replicas - 1) * 0.5 >= found.busy_cores


def test_larger_hospitals_need_no_less():
    needs = [need(one, COSTS, ASSUMPTIONS) for one in HOSPITALS]
    for smaller, larger in pairwise(needs):
        assert smaller.peak_second < larger.peak_second
        assert smaller.cores < larger.cores
        assert smaller.database_mb_year < larger.database_mb_year
        assert 2 <= smaller.replicas <= larger.replicas


def test_an_assumption_is_changed_by_its_name():
    (changed,) = (one for one in assumed(read_changes(["openings=60"])) if one.name == "openings")
    assert changed.value == 60
    assert changed.unit == "chart openings per occupied bed and day"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("opening=60", "opening is no assumption; there are answered, "),
        ("openings=many", "openings=many: say NAME=NUMBER"),
        ("openings", "openings: say NAME=NUMBER"),
    ],
)
def test_an_assumption_that_cannot_be_read_is_told(text, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        assumed(read_changes([text]))


def _cell(what: str, workers: int, connections: int, cpu_ms: float) -> Cell:
    return Cell(what, workers, connections, 100, 142.0, 500.0, 1.5, 2.5, 3.5, cpu_ms, 1)


def _writes(what: str, bytes_row: float) -> Writes:
    return Writes(what, bytes_row, 1, 1, 2.0)


def _database(kind: str, bytes_row: float) -> DatabaseFigures:
    return DatabaseFigures(
        kind,
        _writes("feedback", bytes_row),
        _writes("shown cards", 160),
        _writes("token ids", 200),
        35,
    )


def _figures(*, quick: bool = False) -> CapacityFigures:
    return CapacityFigures(
        when="2026-11-23",
        machine="two cores",
        quick=quick,
        seconds=5.0,
        rounds=3,
        throughput=[
            _cell(what, workers, connections, cpu_ms + connections / 100 + workers)
            for what, cpu_ms in ((CARDS, 1.0), (NONE, 2.0), (ORDERS, 3.0))
            for workers in (1, 2)
            for connections in (4, 16)
        ],
        growth=[_cell(CARDS, 1, 1, 2.0)],
        tokens=[_cell(OPEN, 1, 1, 1.0), _cell(AGAIN, 1, 1, 1.2), _cell(ONCE, 1, 1, 1.5)],
        fetching=[_cell(FETCHED, 1, connections, 5.0 + connections) for connections in (1, 16, 64)],
        memory=[
            WorkerMemory(1, 5_000, 120.0, 80.0, 150.0),
            WorkerMemory(2, 10_000, 120.0, 70.0, 220.0),
        ],
        databases=[_database("SQLite", 400), _database("PostgreSQL", 500)],
    )


def test_the_demand_is_reckoned_with_one_busy_worker_and_the_last_database():
    costs = _figures().costs()
    assert (costs.cards_ms, costs.none_ms, costs.orders_ms) == (2.16, 3.16, 4.16)
    assert costs.token_ms == pytest.approx(0.5)
    assert costs.fetched_ms == 21.0
    assert costs.replica_mb == 150.0
    assert costs.feedback_bytes == 500


def test_a_token_that_seems_to_cost_nothing_saves_nothing():
    figures = replace(_figures(), tokens=[_cell(OPEN, 1, 1, 2.0), _cell(ONCE, 1, 1, 1.9)])
    assert figures.costs().token_ms == 0


def test_figures_come_back_from_their_file(tmp_path):
    write_figures(tmp_path / "figures.json", _figures())
    assert read_figures(tmp_path / "figures.json") == _figures()


@pytest.mark.parametrize("quick", [True, False])
def test_every_place_of_the_page_is_filled_and_a_quick_run_says_so(quick):
    page = capacity_report.document(_figures(quick=quick), ASSUMPTIONS)
    assert "{{" not in page
    assert (capacity_report.QUICK_NOTICE in page) is quick
    assert "| cards | 1 | 16 | 500 | 2.16 | 463 | 1.50 | 2.50 | 3.50 |" in page
    assert "no success, in all turns: 19." in page
    assert "| `openings` | 40 | chart openings per occupied bed and day |" in page


def test_the_page_is_what_its_figures_say():
    page = capacity_report.document(read_figures(capacity.FIGURES), ASSUMPTIONS)
    assert capacity.PAGE.read_text() == page, "python -m tools.bench.capacity --from-figures"


@pytest.mark.parametrize(
    ("cores", "one", "two"),
    [
        ({0}, Place({0}, {0}), Place({0}, {0})),
        ({0, 1}, Place({0}, {1}), Place({0, 1}, {0, 1})),
        ({2, 3, 5, 7}, Place({2}, {3, 5, 7}), Place({2, 3}, {5, 7})),
    ],
)
def test_load_and_worker_keep_out_of_each_others_way_where_there_is_room(cores, one, two):
    assert places(cores) == (one, two)


def test_what_is_started_in_the_block_keeps_to_its_cores():
    before = os.sched_getaffinity(0)
    with servers.on_cores({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_processor_time_is_the_processes_own():
    here = servers.Server("here", 0, os.getpid())
    before = servers.processor_seconds(here)
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert 0.03 <= servers.processor_seconds(here) - before < 5


def test_a_cell_is_the_median_of_its_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "run", load.with_python)
    body = tmp_path / "body.json"
    body.write_bytes(b"{}")
    everywhere = os.sched_getaffinity(0)
    with counting_server() as port:
        here = servers.Server("here", port, os.getpid())
        job = Job(port, "/", body, 2, 0.05)
        cell = measured(CARDS, Place(everywhere, everywhere), here, 1, 100, job, 3)
    assert (cell.what, cell.workers, cell.connections, cell.failed) == (CARDS, 1, 2, 0)
    assert cell.per_second > 0
    assert 0 < cell.p50_ms <= cell.p95_ms <= cell.p99_ms
    assert cell.body_kb == 0.002


def test_a_quick_effort_measures_less_of_the_same():
    full, quick = capacity_loads.FULL, capacity_loads.QUICK
    assert quick.quick
    assert not full.quick
    assert full.requests == 5_000
    assert set(quick.results) < set(full.results) == {10, 100, 1_000, 10_000}


def test_what_the_database_is_asked_to_do(tmp_path):
    found = database_size.measure(f"sqlite:///{tmp_path}/size.db", 200)
    assert found.kind == "SQLite"
    assert found.feedback.transactions_call == 1
    assert found.tokens.transactions_call == 1
    # A hundred calls with eight cards each: eight rows, in one transaction for all.
    assert (found.shown.rows_call, found.shown.transactions_call) == (0.08, 0.01)
    assert 100 < found.feedback.bytes_row < 2_000
    assert 100 < found.tokens.bytes_row < 2_000
    assert found.shown_rows >= 30
