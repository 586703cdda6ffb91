"""Decisions of the server that need no server: how many workers, when to give up, how to stop."""

from __future__ import annotations

import json
import os
import threading
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest
from granian.constants import Interfaces
from granian.server import MPServer

from cds_service.serving import server, supervisor
from cds_service.serving.liveness import HEALTH
from cds_service.serving.supervisor import Supervisor
from tests.testing.programs import run_program


@pytest.fixture
def unstarted() -> Supervisor:
    """A server that was never started."""
    return Supervisor(target="cds_service.serving.server:load", interface=Interfaces.WSGI)


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
    unstarted: Supervisor,
    crashes: int,
    apart_s: float,
    patient: bool,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(MPServer, "_respawn_workers", lambda *_: None)
    for _ in range(crashes):
        clock[0] += apart_s
        unstarted.respawned_wrks = {0: clock[0]}  # which tells granian that it has just crashed
        unstarted._respawn_workers([0], None, None)
    assert (unstarted.respawned_wrks == {}) is patient


def test_granian_has_what_is_used_without_being_an_option(unstarted: Supervisor) -> None:
    assert unstarted.respawned_wrks == {} and unstarted.interrupt_signal is False
    parameters = list(signature(MPServer._respawn_workers).parameters)
    assert parameters == ["self", "workers", "spawn_target", "target_loader", "delay"]
    decisions = MPServer._serve_loop.__code__.co_names
    used = {"respawned_wrks", "_respawn_workers", "interrupt_signal", "main_loop_interrupt"}
    assert used <= set(decisions)
    assert "interrupt_children" in MPServer.shutdown.__code__.co_names
    handled = MPServer.signal_handler_interrupt.__code__.co_names
    assert {"interrupt_signal", "main_loop_interrupt"} <= set(handled)


def test_a_wake_while_another_is_set_is_neither_a_deadlock_nor_lost(tmp_path: Path) -> None:
    """A signal handler and another thread, as when a signal ends workers and the main process.

    In place of `Wakes`, a `threading.Event` deadlocks within milliseconds.
    """
    program = """
import os, signal, sys, threading
from cds_service.serving.supervisor import Wakes
wakes, rounds = Wakes(), 20_000
handled, others, woken, all_set = 0, 0, 0, False
def handle(*_):
    global handled
    handled += 1
    wakes.set()
def end_workers():
    global others, all_set
    for _ in range(rounds):
        os.kill(os.getpid(), signal.SIGUSR1)
        others += 1
        all_set = others == rounds  # before the last: who reads False has one to wait for
        wakes.set()
signal.signal(signal.SIGUSR1, handle)
sys.setswitchinterval(1e-6)
threading.Thread(target=end_workers, daemon=True).start()
while not all_set or woken < handled + others:
    wakes.wait()
    woken += 1
    wakes.clear()
print(others, handled > 0)
"""
    ended = run_program("-c", program, folder=tmp_path, environ=dict(os.environ), timeout=20)
    assert ended.stdout == "20000 True\n", ended.stderr


def test_a_signal_that_arrives_while_dead_workers_are_counted_stops_the_server(
    monkeypatch: pytest.MonkeyPatch, unstarted: Supervisor
) -> None:
    class Interrupted(list[int]):
        def clear(self) -> None:
            unstarted.signal_handler_interrupt()  # type: ignore[no-untyped-call]
            super().clear()

    monkeypatch.setattr(MPServer, "_respawn_workers", lambda *_: None)
    unstarted.respawn_failed_workers = True
    unstarted.interrupt_children = Interrupted([0])
    unstarted.main_loop_interrupt.set()
    loop = threading.Thread(target=unstarted._serve_loop, args=(None, None), daemon=True)
    loop.start()
    loop.join(10)
    assert not loop.is_alive()


def test_granian_serves_the_file_of_health_without_a_folder() -> None:
    healthy = Supervisor(target="cds_service", interface=Interfaces.RSGI, **HEALTH)
    assert healthy.static_path is not None
    [(address, file)], folder_index, age = healthy.static_path
    assert (address, folder_index, age) == ("/healthz", None, "0, no-store")
    assert json.loads(Path(file).read_bytes()) == {"status": "ok"}


@pytest.mark.parametrize("stopped", [True, False])
def test_a_server_that_was_asked_to_stop_does_not_end_with_a_failure(
    monkeypatch: pytest.MonkeyPatch, unstarted: Supervisor, stopped: bool
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
