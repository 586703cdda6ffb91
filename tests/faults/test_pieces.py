"""The parts of the fault tool: what it sends, what it counts, what it writes."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.fhir_client.loopback import Loopback, Request, reply
from tests.testing.damage import damaged
from tests.testing.serving import serving
from tests.testing.thorough import thorough
from tools.faults.calls import (
    VIEW,
    fhir_server_with,
    good_calls,
    mutated,
    scenarios,
    with_results,
)
from tools.faults.conftest import write
from tools.faults.load import Answered, CallTally, Post, Sender, flaw

pytestmark = thorough  # of the tools

ROOT = Path(__file__).parents[2]
REFUSAL = json.dumps({"resourceType": "OperationOutcome", "issue": [{"code": "invalid"}]}).encode()


def _answered(status: int, body: bytes = b"{}", lost: str = "") -> Answered:
    return Answered(Post(VIEW, b""), status, 0.01, body, lost)


def test_the_same_seed_damages_in_the_same_way_and_another_in_another() -> None:
    assert list(mutated(200, 7)) == list(mutated(200, 7))
    assert list(mutated(200, 7)) != list(mutated(200, 8))


def test_mutants_differ_and_cover_every_kind_of_damage() -> None:
    calls = list(mutated(1500, 1))
    ways = {way for call in calls for way in call.note.split("+")}

    assert len({call.body for call in calls}) > 1300
    assert {"drop", "replace", "duplicate", "deepen", "type", "exchange", "unicode"} <= ways
    assert {"flip", "truncate", "cut", "number", "key twice", "wrap", "utf-16"} <= ways
    assert {"headers", "path"} <= ways


def test_mutating_leaves_the_originals_as_they_are() -> None:
    before = json.dumps(scenarios())
    for seed in range(100):
        damaged(random.Random(seed), scenarios()[seed % len(scenarios())], 4)

    assert json.dumps(scenarios()) == before


def test_good_calls_are_of_both_services_and_bring_data() -> None:
    assert {call.path.rpartition("-")[2] for call in good_calls()} == {"view", "select"}
    assert json.loads(good_calls(VIEW)[0].body)["prefetch"]


def test_a_record_of_so_many_results_is_json() -> None:
    body = json.loads(with_results(3).body)

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
        (_answered(400, b"{}"), "status 400, not an OperationOutcome with an issue"),
        (
            _answered(400, b'{"resourceType":"OperationOutcome"}'),
            "status 400, not an OperationOutcome with an issue",
        ),
    ],
)
def test_what_is_wrong_with_an_answer_is_reported(answered: Answered, wrong: str) -> None:
    assert flaw(answered) == wrong


def test_a_tally_counts_answers_and_keeps_the_wrong_ones() -> None:
    tally = CallTally()
    for each in (_answered(200), _answered(200), _answered(400), _answered(0, lost="TimeoutError")):
        tally.add(each)

    assert tally.total == 4
    assert tally.in_words() == "2 × 200, 1 × 400, 1 × TimeoutError"
    assert [each.status for each in tally.wrong] == [400, 0]
    assert tally.quantile_ms(0.5) == pytest.approx(10)


def _get(port: int) -> bytes:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    line.request("GET", "/a?b")
    try:
        return line.getresponse().read()
    finally:
        line.close()


def test_a_partner_dies_and_returns_at_the_same_address() -> None:
    with Loopback(lambda request: [reply({"asked": request.target})]) as partner:
        port = partner.server_address[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/a?b")
        assert json.loads(connection.getresponse().read()) == {"asked": "/a?b"}
        partner.die()
        with pytest.raises((OSError, http.client.HTTPException)):
            connection.request("GET", "/cut")
            connection.getresponse()
        connection.close()
        with pytest.raises(OSError):
            _get(port)
        partner.return_()
        assert json.loads(_get(port)) == {"asked": "/a?b"}
        assert [request.target for request in partner.requests] == ["/a?b"] * 2


def test_the_fhir_server_answers_from_the_prefetch() -> None:
    answer = fhir_server_with(json.loads(with_results(3).body)["prefetch"])

    def answered(target: str) -> Any:
        request = Request(f"/fhir/{target}", {}, 1, 1)
        return json.loads(answer(request).partition(b"\r\n\r\n")[2])

    assert answered("Patient/p1")["id"] == "p1"
    assert len(answered("Observation?code=x")["entry"]) == 3
    assert answered("AllergyIntolerance?patient=x")["entry"] == []


def test_each_call_of_a_fresh_client_goes_to_the_current_port() -> None:
    with (
        Loopback(lambda _asked: [reply({"from": 1})]) as first,
        Loopback(lambda _asked: [reply({"from": 2})]) as second,
    ):
        ports = itertools.cycle((first.server_address[1], second.server_address[1]))
        client = Sender(lambda: next(ports), fresh=True)
        answers = [json.loads(client.send(Post(VIEW, b"")).body)["from"] for _ in range(4)]
    assert answers == [1, 2, 1, 2]


def test_a_client_counts_a_connection_that_closes_as_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            line, _ = server.accept()
            line.recv(65536)
            line.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        answer = Sender(server.getsockname()[1]).send(Post(VIEW, b"{}"))
        thread.join()

    assert answer.status == 0
    assert answer.lost


def test_the_table_keeps_the_rows_that_were_not_run_again(tmp_path: Path) -> None:
    page = tmp_path / "reliability.md"
    page.write_text("Machine: x; y\n\n| Row |\n|---|\n| `one` | held |\n\nAfter\n")
    write("test_two", "held", page=page)
    write("test_one", "**failed**", page=page)

    text = page.read_text()
    assert text.endswith(
        "; y\n\n| Row |\n|---|\n| `one` | **failed** |\n| `two` | held |\n\nAfter\n"
    )
    assert "Machine: x" not in text


def test_every_row_has_a_line_in_the_document_and_says_what_it_does() -> None:
    documented = [
        (name, function.__doc__)
        for path in sorted((ROOT / "tools/faults").glob("test_*.py"))
        for name, function in vars(import_module(f"tools.faults.{path.stem}")).items()
        if name.startswith("test_")
    ]
    names = [name.removeprefix("test_").replace("_", "-") for name, _ in documented]
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")

    assert len(set(names)) == len(names) >= 26
    assert sorted(names) == sorted(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    assert all(len(text.split("\n\n")) == 2 for _, text in documented)


@pytest.mark.slow
@thorough  # as `make faults` does
@pytest.mark.parametrize("name", ["token_clocks", "sqlite_gone"])
def test_a_quick_row_holds(name: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "pytest", "tools/faults", "--quick", "-k", name,
         f"--basetemp={tmp_path / 'row'}"],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT, env=os.environ,
    )  # fmt: skip

    assert process.returncode == 0, process.stdout + process.stderr
    assert "1 passed" in process.stdout


@pytest.mark.slow
def test_no_started_process_survives(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        assert len(service.worker_processes()) == 2

    assert service.worker_processes() == []
    assert service.process.poll() is not None
