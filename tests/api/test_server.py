"""Decisions of the server that need no server: how many workers, when to give up, how to stop."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from granian.constants import Interfaces
from granian.server import MPServer

from cds_service.serving import server


@pytest.fixture
def unstarted() -> server._Server:
    """A server that was never started."""
    return server._Server(target="cds_service.serving.server:load", interface=Interfaces.WSGI)


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (3, 3), (64, 8)])
def test_one_worker_per_processor_and_at_most_eight(
    monkeypatch: pytest.MonkeyPatch, processors: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(processors)))
    assert server.default_workers() == workers


@pytest.mark.parametrize(
    ("crashes", "apart_s", "patient"),
    [
        pytest.param(19, 0.1, True, id="nineteen at once"),
        pytest.param(20, 0.1, False, id="twenty at once"),
        pytest.param(40, 3.2, True, id="forty, one every three seconds"),
        pytest.param(40, 3.1, False, id="forty, a little faster: twenty within a minute"),
    ],
)
def test_workers_that_crash_are_replaced_until_twenty_crash_within_a_minute(
    monkeypatch: pytest.MonkeyPatch,
    unstarted: server._Server,
    crashes: int,
    apart_s: float,
    patient: bool,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(server, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(MPServer, "_respawn_workers", lambda *_: None)
    for _ in range(crashes):
        clock[0] += apart_s
        unstarted.respawned_wrks = {0: clock[0]}  # which tells granian that it has just crashed
        unstarted._respawn_workers([0], None, None)
    assert (unstarted.respawned_wrks == {}) is patient


@pytest.mark.parametrize("stopped", [True, False])
def test_a_server_that_was_asked_to_stop_does_not_end_with_a_failure(
    monkeypatch: pytest.MonkeyPatch, unstarted: server._Server, stopped: bool
) -> None:
    def ends(_self: MPServer, code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(MPServer, "shutdown", ends)
    unstarted.interrupt_signal = stopped
    if stopped:
        unstarted.shutdown(1)
    else:
        with pytest.raises(SystemExit, match="1"):
            unstarted.shutdown(1)
