"""`/healthz` answers whatever a worker computes, and a worker that hangs is ended."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from tests.api.test_serving import Running, run
from tests.testing.thorough import rest

__all__ = ["run"]
_HANGS = """
import asyncio, time
from cds_service.serving.liveness import end_if_hung

async def work():
    end_if_hung(asyncio.get_running_loop(), 0.6)
    {}
    print("still there")

asyncio.run(work())
"""


def test_health_is_answered_while_all_other_python_is_blocked(run: Callable[..., Running]) -> None:
    server = run()
    took: list[float] = []

    def call() -> None:
        started = time.monotonic()
        server.call("greedy")
        took.append(time.monotonic() - started)

    caller = threading.Thread(target=call)
    caller.start()
    time.sleep(0.1)
    slowest = 0.0
    requests = 0
    while caller.is_alive():
        started = time.monotonic()
        status, text = server.get("/healthz")
        slowest = max(slowest, time.monotonic() - started)
        requests += 1
        assert (status, json.loads(text)) == (200, {"status": "ok"})
        time.sleep(0.02)

    assert requests > 5
    assert slowest < took[0] / 3


def test_other_paths_of_the_health_server_are_404(run: Callable[..., Running]) -> None:
    server = run()

    for path in ("/healthz/", "/healthz/x", "/healthzx", "/healthz/../liveness.py",
                 "/healthz%2f..%2fliveness.py", "/healthz/../../app.py"):  # fmt: skip
        status, text = server.get(path)
        assert status == 404
        assert "OperationOutcome" in text


def test_a_path_is_decoded_once(run: Callable[..., Running]) -> None:
    server = run()

    assert server.get("/%63ds-services")[0] == 200
    for path in ("/%2563ds-services", "/%252563ds-services", "/cds-services%252f", "/%256detrics"):
        assert server.get(path)[0] == 404


@pytest.mark.parametrize("hangs", rest(["_ = 7 ** 9_000_000", "time.sleep(20)"]))
def test_a_worker_whose_loop_hangs_ends(hangs: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", _HANGS.format(hangs)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert process.returncode == 1
    assert "in work" in process.stderr
    assert not process.stdout


def test_a_worker_whose_loop_runs_continues() -> None:
    process = subprocess.run(
        [sys.executable, "-c", _HANGS.format("await asyncio.sleep(1.5)")],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert (process.returncode, process.stdout) == (0, "still there\n")
