"""Logs: canaries in every field of a request, searched for in everything that is written."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient

from cds_service.engine.rule import NotFired
from cds_service.ops import logs
from hooks.rules.data_not_usable import data_not_usable, data_not_usable_for_order
from tests.api.minimal_service import (
    INSTANCE,
    QUININE,
    SELECT,
    VIEW,
    body,
    draft,
    feedback,
    low_potassium,
    order_body,
    post,
    potassium,
    prefetch,
    quinine_ordered,
    topics,
)
from tests.testing import fhir
from tests.testing.fhir import searchset

CANARY = "CaNaRy"
Make = Callable[..., FlaskClient]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything the process logs, at the most verbose level; logging is restored afterwards."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("debug", stream)
    root.setLevel(logging.DEBUG)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = True
    logging.getLogger("werkzeug").disabled = False
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def _planted(value: Any) -> Any:
    """The value with a canary added to every text in it and in place of every number."""
    if isinstance(value, dict):
        return {key: _planted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_planted(item) for item in value]
    if isinstance(value, str):
        return f"{value} {CANARY}"
    return 987654.321 if isinstance(value, int | float) else value


AUTHORIZATION = {
    "access_token": CANARY,
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": f"patient/*.read {CANARY}",
    "subject": CANARY,
    "patient": CANARY,
}
COMMENT = {"userComment": CANARY}
READABLE = {
    "patient": fhir.patient(
        CANARY,
        "1911-11-11",
        name=[{"family": CANARY, "given": [CANARY]}],
        identifier=[{"value": CANARY}],
    ),
    "results": searchset(
        potassium("3.1", patient=CANARY) | {"note": [{"text": CANARY}], "id": CANARY},
        potassium("3.2", patient="another") | {"id": f"{CANARY}-2"},
        potassium("999", patient=CANARY) | {"id": f"{CANARY}-3"},
    ),
    "conditions": searchset(
        fhir.condition(CANARY, id=CANARY, onsetString=CANARY, subject=None)
    ),
    CANARY: CANARY,
}  # fmt: skip
GOOD = body(
    context={"userId": f"Practitioner/{CANARY}", "patientId": CANARY, "encounterId": CANARY},
    hookInstance=CANARY,
    fhirServer=f"https://{CANARY}.example/{CANARY}",
    fhirAuthorization=AUTHORIZATION,
    prefetch=READABLE,
    extension={CANARY: CANARY},
)
CALLS: dict[str, tuple[str, Any]] = {
    "a good call": (VIEW, GOOD),
    "a good order": (
        SELECT,
        order_body(QUININE | {"note": [{"text": CANARY}]}, draft(CANARY) | {"id": CANARY})
        | {"hookInstance": CANARY, "prefetch": READABLE},
    ),
    "canaries in every text": (VIEW, _planted(GOOD)),
    "canaries in every field of the context": (VIEW, GOOD | {"context": _planted(GOOD["context"])}),
    "another hook": (VIEW, GOOD | {"hook": CANARY}),
    "prefetch of a wrong type": (VIEW, GOOD | {"prefetch": CANARY}),
    "an authorization of a wrong type": (VIEW, GOOD | {"fhirAuthorization": CANARY}),
    "selections of wrong types": (SELECT, order_body(QUININE, selections=[{CANARY: 1}])),  # type: ignore[list-item]
    "malformed JSON": (VIEW, json.dumps(GOOD).encode()[:-1]),
    "a text that is not a call": (VIEW, CANARY.encode()),
    "invalid UTF-8": (VIEW, CANARY.encode() + b"\xff"),
    "nothing obtainable": (VIEW, GOOD | {"prefetch": {"results": CANARY}}),
    "an unknown service": (f"/cds-services/{CANARY}", GOOD),
    "feedback": (
        f"{VIEW}/feedback",
        {"feedback": [feedback(CANARY)["feedback"][0] | {"overrideReason": COMMENT}]},
    ),
    "bad feedback": (f"{VIEW}/feedback", {"feedback": [{"card": CANARY, "outcome": CANARY}]}),
}  # fmt: skip


@pytest.mark.parametrize(("path", "call"), CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("trusted", [False, True], ids=["open", "with callers"])
def test_nothing_of_a_request_gets_into_a_log_or_an_error(
    service: Make,
    written: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    path: str,
    call: Any,
    trusted: bool,
) -> None:
    settings: dict[str, Any] = {"fhir_servers": ("https://fhir.example",)}
    if trusted:
        clients = tmp_path / "clients.json"
        clients.write_text('[{"iss": "https://e.example", "jku": "https://e.example/jwks.json"}]')
        settings = {"trusted_clients": str(clients)}
    client = service(**settings)

    response = post(
        client,
        path,
        call,
        headers={"Authorization": f"Bearer {CANARY}.{CANARY}.{CANARY}", "Cookie": CANARY},
        query_string={CANARY: CANARY},
    )

    assert response.status_code < 500
    if response.status_code >= 400:
        assert CANARY not in response.text
    output = written.getvalue() + "".join(capsys.readouterr())
    assert CANARY.lower() not in output.lower()
    for value in ("987654", "1911-11-11", "3.1 ", "secret"):
        assert value not in output
    (line,) = [line for line in _lines(written) if line["event"] == "call"]
    assert line["status"] == response.status_code


def test_one_log_line_describes_a_call(client: FlaskClient, written: io.StringIO) -> None:
    post(client, VIEW, body())

    (line,) = _lines(written)
    assert line["service"] == "leg-cramps-patient-view"
    assert line["status"] == 200
    assert line["instance"] == INSTANCE
    assert (line["cards"], line["problems"], line["fetched"]) == (1, 0, 0)
    assert line["ms"] >= 0
    assert line["level"] == "info"
    assert set(line) <= logs.ALLOWED


def test_an_unknown_log_key_is_dropped(written: io.StringIO) -> None:
    logs.logger("test").warning("something", name="Doe", status=400, patient={"id": 1})

    (line,) = _lines(written)
    assert set(line) == {"event", "level", "timestamp", "status"}


def test_an_unforeseen_error_is_logged_by_type_and_place_only(
    service: Make, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service()
    parts = client.application.extensions["cds_parts"]

    def broken(*_args: object) -> None:
        raise KeyError(CANARY)

    monkeypatch.setattr(parts.answering, "answer", broken)

    response = post(client, VIEW, body(prefetch=prefetch(patient={"id": CANARY})))

    assert response.status_code == 500
    assert CANARY not in written.getvalue() + response.text
    line = next(line for line in _lines(written) if line["event"] == "unforeseen_error")
    assert line["error"] == "KeyError"
    assert line["place"].rpartition(":")[0] == __file__


def _bad(*_args: object) -> NotFired:
    raise KeyError(CANARY)


@pytest.mark.parametrize(
    ("path", "request_body", "other"),
    [(VIEW, body(), "low-potassium"), (SELECT, order_body(QUININE), "quinine-ordered")],
)
def test_a_fault_in_a_rule_hides_no_card_and_is_reported_logged_and_counted(
    service: Make, written: io.StringIO, path: str, request_body: dict[str, Any], other: str
) -> None:
    sound = {rule.id: rule for rule in (low_potassium, quinine_ordered)}[other]
    client = service(
        replace(sound, id="bad", title="A bad rule", check=_bad),
        data_not_usable,
        data_not_usable_for_order,
    )

    response = post(client, path, request_body)

    assert topics(response) == [other, "data-not-usable"]
    detail = response.get_json()["cards"][1]["detail"]
    assert "Could not check A bad rule: this rule failed: an error was logged" in detail
    assert CANARY not in written.getvalue() + response.text
    (line,) = [line for line in _lines(written) if line["event"] == "rule_failed"]
    assert (line["level"], line["rule"], line["error"]) == ("error", "bad", "KeyError")
    assert line["place"].rpartition(":")[0] == __file__
    figures = client.get("/metrics").text
    assert 'cds_rule_failures_total{rule="bad",topic="leg-cramps"} 1.0' in figures
    assert (
        'cds_rule_outcomes_total{answer="cannot tell",rule="bad",topic="leg-cramps"} 1.0' in figures
    )


def test_when_the_card_that_reports_the_fault_fails_too_the_others_are_still_shown(
    service: Make, written: io.StringIO
) -> None:
    client = service(replace(data_not_usable, review=_bad))

    response = post(client, VIEW, body())

    assert topics(response) == ["low-potassium", "data-not-usable"]
    assert [line["rule"] for line in _lines(written) if line["event"] == "rule_failed"] == [
        "data-not-usable"
    ]


def test_log_lines_of_libraries_keep_the_place_but_not_the_message(written: io.StringIO) -> None:
    try:
        int(CANARY)
    except ValueError:
        logging.getLogger("urllib3.connectionpool").exception("GET /Patient/%s", CANARY)

    (line,) = _lines(written)
    assert CANARY not in json.dumps(line)
    assert (line["logger"], line["level"], line["error"]) == (
        "urllib3.connectionpool",
        "error",
        "ValueError",
    )


def test_log_lines_of_the_server_keep_their_message(written: io.StringIO) -> None:
    logging.getLogger("_granian").info("Spawning worker-1")

    assert _lines(written)[0]["message"] == "Spawning worker-1"


def test_an_uncaught_exception_is_logged_without_its_message(
    written: io.StringIO,
) -> None:
    def broken() -> None:
        raise ValueError(CANARY)

    thread = threading.Thread(target=broken)
    thread.start()
    thread.join()
    try:
        broken()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)

    assert CANARY not in written.getvalue()
    assert [line["event"] for line in _lines(written)] == ["uncaught_exception"] * 2


def test_a_keyboard_interrupt_and_a_thread_without_an_error_log_nothing(
    written: io.StringIO,
) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    threading.excepthook(threading.ExceptHookArgs((ValueError, None, None, None)))

    assert written.getvalue() == ""


def test_at_a_terminal_logs_are_readable_text_with_the_same_keys() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    hook_before, root = sys.excepthook, logging.getLogger().handlers[:]
    stream = Terminal()
    try:
        logs.configure("info", stream)
        logs.logger("x").info("call", service="leg-cramps-patient-view", patient=CANARY, ms=3.2)
        logging.getLogger("_granian").warning("Configuration allows spawning up to 512 threads")
    finally:
        sys.excepthook = hook_before
        logging.getLogger().handlers[:] = root
        structlog.reset_defaults()
    (line,) = stream.getvalue().splitlines()
    assert "leg-cramps-patient-view" in line
    assert "3.2" in line
    assert CANARY not in line
    assert not line.startswith("{")
