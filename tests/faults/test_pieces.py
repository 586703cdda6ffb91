"""The pieces of the faults: what it sends, what it counts, what it writes."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.faults import wire
from tools.faults.balancer import Balancer
from tools.faults.bodies import VIEW, good_calls, scenarios, view_call, with_results
from tools.faults.load import Answered, Call, Client, Tally, flaw
from tools.faults.mutator import mutated
from tools.faults.partners import WebServer
from tools.faults.rows import ROWS
from tools.faults.rows.processes import _slope
from tools.faults.run import Row, Run
from tools.faults.service import serving
from tools.faults.table import Found, write

ROOT = Path(__file__).parents[2]
REFUSAL = json.dumps({"resourceType": "OperationOutcome", "issue": [{"code": "invalid"}]}).encode()


def _answered(status: int, body: bytes = b"{}", lost: str = "") -> Answered:
    return Answered(Call(VIEW, b""), status, 0.01, body, lost)


def test_the_same_seed_spoils_in_the_same_way_and_another_in_another() -> None:
    assert list(mutated(200, 7)) == list(mutated(200, 7))
    assert list(mutated(200, 7)) != list(mutated(200, 8))


def test_mutants_differ_and_reach_every_way() -> None:
    calls = list(mutated(1500, 1))
    ways = {way for call in calls for way in call.note.split("+")}

    assert len({call.body for call in calls}) > 1300
    assert {"drop", "replace", "duplicate", "deepen", "type", "exchange", "unicode"} <= ways
    assert {"flip", "truncate", "cut", "number", "key twice", "wrap", "utf-16"} <= ways
    assert {"headers", "path"} <= ways


def test_mutating_leaves_the_originals_as_they_are() -> None:
    before = json.dumps(scenarios())
    list(mutated(300, 3))

    assert json.dumps(scenarios()) == before


def test_good_calls_are_of_both_services_and_bring_data() -> None:
    assert {call.path.rpartition("-")[2] for call in good_calls()} == {"view", "select"}
    assert json.loads(view_call().body)["prefetch"]


def test_a_record_of_so_many_results_is_json() -> None:
    body = json.loads(with_results(3))

    assert len(body["prefetch"]["results"]["entry"]) == 3


@pytest.mark.parametrize(
    ("answered", "wrong"),
    [
        (_answered(200), ""),
        (_answered(400, REFUSAL), ""),
        (_answered(0, lost="ConnectionResetError"), "lost connection (ConnectionResetError)"),
        (_answered(503, REFUSAL), "status 503"),
        (_answered(200, b"<html>"), "status 200, not JSON"),
        (_answered(200, b"[]"), "status 200, not an object"),
        (_answered(400, b"{}"), "status 400, no OperationOutcome"),
        (_answered(400, b'{"resourceType":"OperationOutcome"}'), "status 400, no issue"),
    ],
)
def test_what_is_wrong_with_an_answer_is_seen(answered: Answered, wrong: str) -> None:
    assert flaw(answered) == wrong


def test_a_tally_counts_keeps_and_says() -> None:
    tally = Tally(keep=lambda one: one.status != 200)
    for one in (_answered(200), _answered(200), _answered(400), _answered(0, lost="TimeoutError")):
        tally.add(one)

    assert tally.total == 4
    assert tally.said() == "2 × 200, 1 × 400, 1 × TimeoutError"
    assert [one.status for one in tally.kept] == [400, 0]
    assert tally.quantile_ms(0.5) == pytest.approx(10)


def test_the_slope_of_a_line_is_found() -> None:
    assert _slope([(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]) == pytest.approx(2)
    assert _slope([(1.0, 5.0)]) == 0


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer(lambda target: json.dumps({"asked": target}).encode())
    server.start()
    yield server
    server.die()


def _get(port: int) -> bytes:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    line.request("GET", "/a?b", headers={"Connection": "close"})
    try:
        return line.getresponse().read()
    finally:
        line.close()


def test_a_server_dies_and_returns_at_the_same_address(web: WebServer) -> None:
    assert json.loads(_get(web.port)) == {"asked": "/a?b"}
    web.die()
    with pytest.raises(OSError):
        _get(web.port)
    web.start()

    assert json.loads(_get(web.port)) == {"asked": "/a?b"}


def test_the_balancer_passes_on_whole_answers_and_counts_who_is_not_there(web: WebServer) -> None:
    balancer = Balancer()
    balancer.use(web.port)
    balancer.start()
    assert json.loads(_get(balancer.port)) == {"asked": "/a?b"}

    web.die()
    with pytest.raises((OSError, http.client.HTTPException)):
        _get(balancer.port)
    balancer.stop()

    assert balancer.refused == 1


def test_a_client_counts_a_connection_that_closes_as_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            line, _ = server.accept()
            line.recv(65536)
            line.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        answered = Client(server.getsockname()[1], timeout=5).send(Call(VIEW, b"{}"))
        thread.join()

    assert answered.status == 0
    assert answered.lost


def test_chunks_are_read_back_as_they_were() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        there.sendall(wire.chunked(b"0123456789", 3))

        assert wire.said(here) == (200, b"0123456789")


def test_the_table_keeps_the_rows_that_were_not_run_again(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    first, second = (Row(name, "done", "holds", lambda _run: None) for name in ("one", "two"))
    held, failed = Run(tmp_path), Run(tmp_path)
    held.figures.append("7 calls")
    failed.failures.append("2 | lost")
    write([Found(first, held, 1.0), Found(second, held, 1.0)], ["one", "two"], page)
    write([Found(second, failed, 2.0)], ["one", "two"], page)

    lines = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert len(lines) == 2
    assert "held" in lines[0]
    assert "7 calls" in lines[0]
    assert "**failed**: 2 \\| lost" in lines[1]


def test_every_row_has_a_name_of_its_own_and_a_line_in_the_document() -> None:
    names = [row.name for row in ROWS]
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")

    assert len(set(names)) == len(names)
    assert [name for name in names if f"| `{name}` |" not in page] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["token-clocks", "sqlite-gone"])
def test_a_quick_row_holds(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.faults", "--quick", "--only", name, "--keep", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=os.environ,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 rows held" in done.stdout


@pytest.mark.slow
def test_nothing_that_was_started_lives_on(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        assert len(service.worker_pids()) == 2

    assert service.worker_pids() == []
    assert service.process.poll() is not None
