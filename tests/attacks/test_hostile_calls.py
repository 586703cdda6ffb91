"""Calls by an attacker, through the whole service with its real rules."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from markdown_it import MarkdownIt
from sqlalchemy import select

from cds_service.api.asking import ask
from cds_service.feedback.report import report
from cds_service.storage.tables import unknown_feedback as answers
from tests.api.conftest import service
from tests.api.minimal_service import (
    SELECT,
    VIEW,
    body,
    draft,
    issue,
    order_body,
    post,
    potassium,
    prefetch,
    topics,
)
from tests.conformance import black_box
from tests.scenarios.conftest import service as whole_service
from tests.scenarios.golden import FOLDERS, scenario
from tests.testing import fhir
from tests.testing.fhir import searchset

__all__ = ["service", "whole_service"]
Make = Callable[..., FlaskClient]
NOW = datetime.now(UTC).replace(microsecond=0)


CRAMPS = fhir.condition(None, (fhir.SNOMED, "449917004"))


@pytest.fixture
def client(whole_service: Any) -> FlaskClient:
    application: FlaskClient = whole_service(NOW).client
    return application


# --- text of a record posing as markup ---------------------------------------------------

HOSTILE = {
    "HTML": "<img src=x onerror=alert(1)>",
    "a script": "</p><script>alert(1)</script>",
    "an entity": "&lt;script&gt;alert(1)&lt;/script&gt; &#60;b&#62;",
    "a comment": "<!-- hidden",
    "a link": "[see](javascript:alert(1))",
    "an image": "![x](https://evil.example/track.png)",
    "an address": "https://evil.example/a www.evil.example mailto:a@evil.example",
    "an autolink": "<https://evil.example>",
    "a reference": "[x]: https://evil.example",
    "a heading": "\n\n# All clear\n\n---\n",
    "a list": "\n- nothing to worry about",
    "a table": "\n|a|b|\n|-|-|\n",
    "code": "`` ` ``` \n```\n",
    "emphasis": "**bold** __bold__ ~~gone~~",
    "backslashes": "\\\\[x](y) \\<b>",
    "direction override": "\u202eevil\u202c \u2066x\u2069",
    "control characters": "a\u0000b\u0007\u001b[31m\r\nc\u2028d",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_text_of_a_record_stays_text_on_every_card(client: FlaskClient, text: str) -> None:
    cards = []
    for path, call in _everywhere(text):
        response = post(client, path, call)
        assert response.status_code == 200, response.text
        assert black_box.response(response.get_json()) == []
        cards += response.get_json()["cards"]

    assert {"low-potassium", "quinine-ordered"} <= {
        card["source"]["topic"]["code"] for card in cards
    }
    shown = 0
    for card in cards:
        _assert_no_markup(card)
        shown += "Named" in card["detail"]
    assert shown, "no card shows the text, so nothing was tried"


def _everywhere(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls with ``text`` wherever a record may hold words that cards repeat."""
    named = f"Named {text}"
    result = potassium("3.1")
    result["code"] |= {"text": named}
    result["code"]["coding"][0]["display"] = named
    result["valueQuantity"]["unit"] = named
    record = prefetch(
        results=searchset(result),
        conditions=searchset(
            CRAMPS
            | {
                "code": {
                    "text": named,
                    "coding": [CRAMPS["code"]["coding"][0] | {"display": named}],
                }
            }
        ),
        medicationRequests=searchset(
            draft(f"Furosemide 40 MG {named}") | {"id": "m1", "status": "active"},
            draft(f"Quinine sulfate 324 MG {named}") | {"id": "m2", "status": "active"},
        ),
    )
    record["patient"]["name"] = [{"text": named, "family": named, "given": [named]}]
    view = fhir.call("patient-view", record, hookInstance=named)
    yield VIEW, view
    yield VIEW, view | {"prefetch": record | {"results": {"resourceType": named}}}
    ordered = draft(f"Quinine sulfate 324 MG Oral Capsule {named}")
    ordered["dosageInstruction"] = [{"text": named, "patientInstruction": named}]
    ordered["reasonCode"] = [{"text": named}]
    yield SELECT, order_body(ordered, prefetch=record)


def _assert_no_markup(card: dict[str, Any]) -> None:
    for plain in (
        card["summary"],
        *(suggestion["label"] for suggestion in card.get("suggestions", ())),
    ):
        assert not re.search(r"<[A-Za-z!/]|[\x00-\x1f\u2028\u202a-\u202e\u2066-\u2069]", plain)
    detail = card["detail"]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u2028\u202a-\u202e\u2066-\u2069]", detail)
    # As the most permissive client would show it: raw HTML allowed.
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for token in _tokens(parser.parse(detail)):
        assert token.type not in {"html_inline", "html_block", "image", "heading_open", "hr"}
        assert token.type not in {"fence", "code_block", "code_inline", "table_open", "s_open"}
        assert "evil" not in str(token.attrs.get("href", ""))
        assert "javascript" not in str(token.attrs.get("href", ""))
    # What a client that turns bare addresses into links would match.
    assert not re.search(r"(https?://|www\.|mailto:)[^\s)]*evil", detail)


def _tokens(parsed: Any) -> Iterator[Any]:
    for token in parsed:
        yield token
        yield from _tokens(token.children or ())


# --- numbers and sizes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number", ["1e999999999", "-1e999999999", "1e-999999999", "9" * 20_000, "1e400", "-0", "0"]
)
@pytest.mark.parametrize("place", ["value", "low"])
def test_an_absurd_number_is_never_normal_and_takes_no_time(
    client: FlaskClient, number: str, place: str
) -> None:
    result = potassium("4.2")
    if place == "value":
        result["valueQuantity"]["value"] = "NUMBER"
    else:
        result["referenceRange"] = [{"low": {"value": "NUMBER", "unit": "mmol/L"}}]
    call = body(prefetch=prefetch(results=searchset(result), conditions=searchset(CRAMPS)))
    content = json.dumps(call).replace('"NUMBER"', number).encode()

    started = time.perf_counter()
    response = post(client, VIEW, content)

    assert time.perf_counter() - started < 2
    assert response.status_code in (200, 400)
    if response.status_code == 200 and place == "value":
        topics = [card["source"]["topic"]["code"] for card in response.get_json()["cards"]]
        assert "data-not-usable" in topics


LONG: dict[str, str] = {
    "blanks": " " * 200_000,
    "digits": "1" * 200_000,
    "strengths": "1 MG/" * 40_000,
    "commas": "1," * 100_000,
    "letters": "quinine " * 25_000,
    "brackets": "(" * 200_000,
    "accents": "é\u0301" * 60_000,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG.keys())
def test_a_very_long_text_takes_linear_time(client: FlaskClient, text: str) -> None:
    """A backtracking pattern would take minutes on these."""
    started = time.perf_counter()
    for path, call in _everywhere(text):
        response = post(client, path, call)
        assert response.status_code == 200
        assert len(response.data) < 100_000

    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    "patient",
    ["p1/../p2", "p1?_include=*", "p1&patient=p2", "p1#", "p1%2fp2", "../metadata", "p1 p2", "",
     "p1\n", "p1,p2", "p1|p2", "x" * 1000],
)  # fmt: skip
@pytest.mark.parametrize("name", ["patientId", "encounterId"])
def test_an_id_cannot_change_the_request_to_a_fhir_server(
    client: FlaskClient, name: str, patient: str
) -> None:
    call = deepcopy(scenario(FOLDERS[0]).request)
    call["context"] |= {"patientId": "p1", name: patient}
    path = f"/cds-services/leg-cramps-{call['hook']}"

    response = post(client, path, call)

    assert response.status_code == 400
    assert issue(response)["expression"] == [f"context.{name}"]


# --- what is stored and shown ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE feedback; --", '" OR 1=1 --', "%s %(x)s :x ?", "=HYPERLINK(1)", "\\"]
)
def test_feedback_is_stored_as_text_whatever_it_contains(service: Make, text: str) -> None:
    client = service()
    database = client.application.extensions["cds_parts"].records.database
    element = {
        "card": text,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T23:13:39Z",
        "overrideReason": {"reason": {"code": text, "system": text}, "userComment": text},
    }

    assert post(client, f"{VIEW}/feedback", {"feedback": [element]}).status_code == 200

    with database.read() as connection:
        (row,) = connection.execute(select(answers)).mappings()
    assert {row[name] for name in ("card", "reason_code", "reason_system", "comment")} == {text}
    assert report(database).total == 1


def test_metrics_and_documents_reveal_nothing_about_a_patient(service: Make) -> None:
    client = service()
    canary = "CaNaRy"
    call = order_body(draft(canary), prefetch=prefetch(results=searchset(potassium("3.1"))))
    call["context"] |= {"patientId": canary}
    for path in (VIEW, SELECT, f"{VIEW}/feedback", f"/cds-services/{canary}"):
        post(client, path, call, headers={"User-Agent": canary, "X-Request-Id": canary})

    for path in ("/metrics", "/readyz", "/healthz", "/openapi.json", "/cds-services"):
        assert canary not in client.get(path).text


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-Method-Override"])
def test_a_method_cannot_be_overridden(client: FlaskClient, header: str) -> None:
    assert client.get(VIEW, headers={header: "POST"}).status_code == 405


def test_no_answer_contains_data_of_another_patient(client: FlaskClient) -> None:
    """Two calls to the same service in turn: nothing of the first remains for the second."""
    low = order_body(draft("Quinine sulfate 324 MG"), prefetch=prefetch())
    clean = order_body(draft("Baclofen 10 MG", id="2"), prefetch=prefetch(results=searchset()))
    alone = post(client, SELECT, clean).get_json()
    for card in (post(client, SELECT, low).get_json())["cards"]:
        assert "Quinine" in card["summary"] + card["detail"]

    after = post(client, SELECT, clean).get_json()

    assert [card["summary"] for card in after["cards"]] == [
        card["summary"] for card in alone["cards"]
    ]
    assert "Quinine" not in json.dumps(after)


@pytest.mark.parametrize(
    ("server", "used"), [("https://ehr.example/fhir", False), ("https://else.example/r4", True)]
)
def test_the_same_id_at_another_server_is_another_patient(
    client: FlaskClient, server: str, used: bool
) -> None:
    at_another = {"reference": "https://else.example/r4/Patient/p1"}
    result = potassium("3.1") | {"subject": at_another}
    chart = body(fhirServer=server, prefetch=prefetch(results=searchset(result)))
    order = order_body(draft("Quinine sulfate 324 MG", subject=at_another), fhirServer=server)

    rules = topics(post(client, VIEW, chart))
    assert ("low-potassium" in rules) is used
    assert ("data-not-usable" in rules) is not used
    rules = topics(post(client, SELECT, order))
    assert ("quinine-ordered" in rules) is used
    assert ("data-not-usable" in rules) is not used
    answer = ask(client.application.extensions["cds_parts"], json.dumps(chart).encode(), NOW)
    assert ("low-potassium" in [card.rule.id for card in answer.cards]) is used
