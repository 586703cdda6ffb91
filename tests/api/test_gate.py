"""The gate: one thread computes, who waits steps aside."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cds_service import memory
from cds_service.app import create_app
from cds_service.feedback.snooze import SnoozeStore
from cds_service.gate import Gate
from cds_service.settings import Settings

PATIENCE_S = 10


def _ask(application: Any, path: str, answers: list[bytes]) -> threading.Thread:
    def run() -> None:
        answers.append(b"".join(application({"PATH_INFO": path}, lambda *_: None)))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("aside", [True, False], ids=["a wait done aside", "a computation"])
def test_others_compute_only_while_one_waits_aside(aside: bool) -> None:
    gate = Gate()
    inside, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def inner(environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "first":
            inside.set()
            if aside:
                gate.waiting(go_on.wait)(PATIENCE_S)
            else:
                go_on.wait(PATIENCE_S)
        order.append(environ["PATH_INFO"])
        return [b"done"]

    answers: list[bytes] = []
    gated = gate.around(inner)
    first = _ask(gated, "first", answers)
    assert inside.wait(PATIENCE_S)
    second = _ask(gated, "second", answers)
    second.join(PATIENCE_S if aside else 0.1)
    go_on.set()
    first.join()
    second.join()

    assert order == (["second", "first"] if aside else ["first", "second"])
    assert answers == [b"done", b"done"]


def test_the_answer_is_closed_and_a_fault_leaves_the_gate_open() -> None:
    gate = Gate()
    closed: list[bool] = []

    class Answer(list[bytes]):
        def close(self) -> None:
            closed.append(True)

    def broken(_environ: Any, _start: Any) -> Iterable[bytes]:
        with gate.aside():
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        gate.around(broken)({}, lambda *_: None)
    assert gate.around(lambda *_: Answer([b"a", b"b"]))({}, lambda *_: None) == [b"a", b"b"]
    assert closed == [True]


def test_outside_of_a_request_there_is_nothing_to_step_aside_from() -> None:
    gate = Gate()

    assert gate.waiting(len)("abc") == 3
    with gate.aside(), gate.aside():
        pass


def test_a_slow_database_asked_about_answered_cards_keeps_nobody_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(*_: object) -> dict[str, object]:
        asked.set()
        go_on.wait(PATIENCE_S)
        return {}

    monkeypatch.setattr(SnoozeStore, "held_back", slow)
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'a.db'}", snooze=True))
    call = (
        Path(__file__).parents[2] / "fixtures/scenarios/quinine-active/request.json"
    ).read_bytes()
    statuses: list[int] = []

    def run(method: str, path: str, body: bytes | None = None) -> threading.Thread:
        def ask() -> None:
            answer = app.test_client().open(
                path, method=method, data=body, content_type="application/json"
            )
            statuses.append(answer.status_code)

        thread = threading.Thread(target=ask)
        thread.start()
        return thread

    slowly = run("POST", "/cds-services/leg-cramps-patient-view", call)
    assert asked.wait(PATIENCE_S)
    quickly = run("GET", "/healthz")
    quickly.join(PATIENCE_S / 2)
    answered_meanwhile = list(statuses)
    go_on.set()
    slowly.join()
    app.extensions["cds_parts"].records.close()

    assert answered_meanwhile == [200]
    assert statuses == [200, 200]


@pytest.mark.parametrize(
    ("stated", "given_back"),
    [("1999999", 0), ("2000000", 1), ("14000000", 1), ("", 0), (None, 0), ("-5", 0), ("9" * 50, 0)],
)
def test_memory_is_given_back_after_a_large_body(
    monkeypatch: pytest.MonkeyPatch, stated: str | None, given_back: int
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("cds_service.gate.give_back", lambda: asked.append(True))
    application = Gate().around(lambda _environ, _start: [b"answer"])
    environ = {} if stated is None else {"CONTENT_LENGTH": stated}
    assert b"".join(application(environ, lambda *_: None)) == b"answer"  # type: ignore[arg-type]
    assert len(asked) == given_back


def test_a_system_without_these_calls_goes_on_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory.share_among_threads()
    memory.give_back()

    def no_library(_name: None) -> None:
        raise OSError

    for library in (no_library, lambda _name: object()):
        monkeypatch.setattr(memory.ctypes, "CDLL", library)
        memory.share_among_threads()
        memory.give_back()
