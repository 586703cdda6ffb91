"""The demo page without a browser: what it shows, what it refuses, and what must never run."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.catalogue.topics import services_of
from cds_service.demo import pages
from cds_service.demo.pages import POLICY
from cds_service.feedback.report import report
from cds_service.trust.inspect import make_key_pair
from hooks import TOPIC
from tests.demo.demo_service import FIXTURES, PATIENTS, bundle, hostile_bundle
from tests.testing import fhir

Demo = Callable[..., FlaskClient]
SELECT = "/cds-services/leg-cramps-order-select"
QUININE = fhir.prescription(
    "Quinine 325 MG Oral Capsule",
    id="q1",
    status="draft",
    subject=None,
    authoredOn=None,
    reasonCode=[{"text": "Leg cramps"}],
)


def ask(client: FlaskClient, **question: Any) -> Any:
    response = client.post("/demo/answer", json=question)
    assert response.status_code == 200, response.text
    return response.get_json()


def rules_of(answer: Any) -> list[str]:
    return [card["source"]["topic"]["code"] for card in answer["response"]["cards"]]


def error_of(response: TestResponse) -> str:
    issue = response.get_json()["issue"][0]
    return " ".join([issue["details"]["text"], issue.get("diagnostics", "")])


def send_feedback(client: FlaskClient, answer: Any, elements: list[Any]) -> int:
    """The status of the feedback that the page sends."""
    path = f"/demo/feedback/{answer['service']}"
    return client.post(path, json={"feedback": elements}).status_code


class Tags(HTMLParser):
    """All tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_lists_every_fixture_patient_with_its_story(demo: Demo) -> None:
    text = demo().get("/").text
    for entry in json.loads((FIXTURES / "index.json").read_text(encoding="utf-8")):
        assert f'data-patient="{entry["name"]}"' in text
        assert entry["story"] in text


@pytest.mark.parametrize("path", ["/", "/report"])
def test_a_page_has_no_inline_code_and_loads_nothing_from_elsewhere(demo: Demo, path: str) -> None:
    response = demo().get(path)
    assert response.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    for tag, attributes in Tags(response.text).tags:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        for name, value in attributes.items():
            assert name != "style"
            assert not name.startswith("on")
            if name in ("src", "href") and tag != "a":
                assert value is not None
                assert value.startswith("/demo/static/")


def test_the_assets_are_served(demo: Demo) -> None:
    client = demo()
    for name, kind in (("demo.js", "javascript"), ("demo.css", "css"), ("icon.svg", "svg")):
        with client.get(f"/demo/static/{name}") as response:  # closed, as a server would close it
            assert response.status_code == 200
            assert kind in response.content_type


def test_without_the_setting_there_is_no_page(demo: Demo) -> None:
    client = demo(demo=False)
    assert client.get("/").status_code == 404
    assert client.get("/report").status_code == 404
    assert client.post("/demo/answer", json={"patient": PATIENTS[0]}).status_code == 404


def test_every_fixture_patient_gets_the_cards_of_its_story(demo: Demo) -> None:
    client = demo()
    index = json.loads((FIXTURES / "index.json").read_text(encoding="utf-8"))
    for entry in index:
        answer = ask(client, patient=entry["name"])
        assert answer["hook"] == entry["hook"]
        assert rules_of(answer) == entry["cards"], entry["name"]
        for part in ("chart", "cards", "why", "switches"):
            assert answer["html"][part].strip()


def test_the_raw_request_sent_by_http_gives_the_same_cards(demo: Demo) -> None:
    client = demo()
    answer = ask(client, patient="low-magnesium")
    response = client.post(f"/cds-services/{answer['service']}", json=answer["request"])
    summaries = [card["summary"] for card in response.get_json()["cards"]]
    assert summaries == [card["summary"] for card in answer["response"]["cards"]]
    assert summaries


def test_a_draft_of_quinine_gives_the_critical_card(demo: Demo) -> None:
    answer = ask(
        demo(),
        patient="low-magnesium",
        hook="order-select",
        drafts=[QUININE],
        selections=["MedicationRequest/q1"],
    )
    assert rules_of(answer) == ["quinine-ordered"]
    draft = answer["request"]["context"]["draftOrders"]["entry"][0]["resource"]
    assert draft["subject"] == {"reference": f"Patient/{answer['request']['context']['patientId']}"}
    assert "Critical" in answer["html"]["cards"]


@pytest.mark.parametrize(("state", "sent"), [("null", True), ("absent", False)])
def test_a_prefetch_key_can_be_sent_as_null_or_left_out(demo: Demo, state: str, sent: bool) -> None:
    answer = ask(demo(), patient="low-magnesium", states={"results": state})
    prefetch = answer["request"]["prefetch"]
    assert ("results" in prefetch) is sent
    assert prefetch.get("results") is None
    assert "low-magnesium" not in rules_of(answer)
    kinds = {data["kind"]: data["state"] for data in answer["trace"]["data"]}
    assert kinds["results"] == ("none" if sent else "absent")
    if not sent:
        assert "Could not check" in answer["html"]["why"]


def test_a_call_without_data_is_reported_with_the_remedy(demo: Demo) -> None:
    client = demo()
    keys = ask(client, patient="low-magnesium")["request"]["prefetch"]
    response = client.post(
        "/demo/answer", json={"patient": "low-magnesium", "states": dict.fromkeys(keys, "absent")}
    )
    assert response.status_code == 412
    assert "prefetch keys" in error_of(response)


def test_settings_of_the_page_change_only_its_own_answers(demo: Demo) -> None:
    client = demo()
    before = ask(client, patient="quinine-active")
    british = ask(client, patient="quinine-active", jurisdiction="uk")
    after = ask(client, patient="quinine-active")
    details = [answer["response"]["cards"][0]["detail"] for answer in (before, british, after)]
    assert details[0] == details[2] != details[1]
    assumed = ask(client, patient="quinine-active", cramps="assumed")
    words = [
        next(rule for rule in trace["rules"] if rule["rule"] == "first-line-measures")["because"]
        for trace in (before["trace"], assumed["trace"])
    ]
    assert words[0] == ["leg cramps are not documented"] != words[1]


def test_a_later_day_of_the_call_makes_results_stale(demo: Demo) -> None:
    answer = ask(demo(), patient="low-magnesium", asOf="2029-11-23")
    assert answer["asOf"] == "2029-11-23"
    assert "low-magnesium" not in rules_of(answer)


def test_a_pasted_hook_request_is_sent_unchanged(demo: Demo) -> None:
    path = FIXTURES.parent / "scenarios" / "quinine-ordered-with-long-qt" / "request.json"
    pasted = path.read_text(encoding="utf-8")
    answer = ask(demo(), pasted=pasted)
    assert answer["request"] == json.loads(pasted)
    assert answer["selections"] == ["MedicationRequest/draft-1"]
    assert rules_of(answer) == ["quinine-ordered"]


@pytest.mark.parametrize("name", ["resource", "data", "body"])
def test_the_body_of_a_pasted_http_response_is_used(demo: Demo, name: str) -> None:
    plain = ask(demo(), pasted=json.dumps(bundle()))
    assert rules_of(ask(demo(), pasted=json.dumps({"status": 200, name: bundle()}))) == rules_of(
        plain
    )


def test_the_medication_of_a_draft_comes_with_it_and_is_not_a_draft_itself(demo: Demo) -> None:
    address = "urn:uuid:6f1d4f0e-1111-4222-8333-bbbbbbbbbbbb"
    draft = {key: value for key, value in QUININE.items() if key != "medicationCodeableConcept"}
    content = bundle(draft | {"medicationReference": {"reference": address}})
    product = fhir.product("Quinine 324 mg capsule")
    content["entry"].append({"fullUrl": address, "resource": product})

    answer = ask(demo(), pasted=json.dumps(content))

    assert "quinine-ordered" in rules_of(answer)
    assert [draft["resourceType"] for draft in answer["drafts"]] == ["MedicationRequest"]


def test_a_pasted_bundle_with_drafts_is_evaluated_for_orders(demo: Demo) -> None:
    answer = ask(demo(), pasted=json.dumps(bundle(QUININE)))
    assert answer["hook"] == "order-select"
    assert rules_of(answer) == ["quinine-ordered"]


@pytest.mark.parametrize(
    ("pasted", "message"),
    [
        ("{", "not valid JSON"),
        ("", "empty"),
        ("[1]", "not a JSON object"),
        ("{}", "neither a FHIR Bundle nor a request"),
        ('{"resourceType": "Bundle", "entry": []}', "0 patients"),
        ('{"hook": "patient-view"}', "missing"),
        ('{"hook": "patient-view", "context": 7, "prefetch": 7, "hookInstance": "x"}', ""),
        ("[" * 500 + "]" * 500, "nested"),
    ],
)
def test_input_that_cannot_be_read_is_answered_with_place_and_remedy(
    demo: Demo, pasted: str, message: str
) -> None:
    response = demo().post("/demo/answer", json={"pasted": pasted})
    assert response.status_code == 400
    assert message in error_of(response)
    assert len(error_of(response)) > 20


def test_no_cards_is_never_presented_as_an_all_clear(demo: Demo) -> None:
    answer = demo().post("/demo/answer", json={"pasted": json.dumps(bundle())}).get_json()
    assert answer["response"]["cards"] == []
    unchecked = sum(rule["answer"] == "cannot tell" for rule in answer["trace"]["rules"])
    assert unchecked
    status = f"No cards, but {unchecked} rules could not be checked."
    assert answer["status"] == status
    assert status in answer["html"]["cards"]
    assert "nothing to say" not in answer["html"]["cards"]


def test_a_pasted_batch_response_is_read_like_any_bundle(demo: Demo) -> None:
    quinine = fhir.prescription("Quinine sulfate 324 mg", subject={"reference": "urn:uuid:1"})
    patient = {"fullUrl": "urn:uuid:1", **bundle()["entry"][0]}
    entry = {"resource": fhir.searchset(quinine), "response": {"status": "200"}}
    pasted = fhir.bundle("batch-response") | {"entry": [patient, entry]}
    answer = demo().post("/demo/answer", json={"pasted": json.dumps(pasted)}).get_json()
    [card] = answer["response"]["cards"]
    assert card["source"]["topic"]["code"] == "quinine-active"


@pytest.mark.parametrize(
    "body", [{"hook": "order-sign"}, {"drafts": 3}, {"unknown": 1}, [], {"patient": "no-such-one"}]
)
def test_a_malformed_question_is_refused(demo: Demo, body: Any) -> None:
    assert demo().post("/demo/answer", json=body).status_code == 400


def test_an_unreadable_body_or_day_is_named(demo: Demo) -> None:
    client = demo()
    broken = client.post("/demo/answer", data=b'{"patient', content_type="application/json")
    assert (broken.status_code, "not valid JSON" in error_of(broken)) == (400, True)
    refused = client.post("/demo/answer", json={"patient": "low-magnesium", "asOf": "someday"})
    assert refused.status_code == 400
    assert refused.get_json()["issue"][0]["expression"] == ["as of"]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("topic", "gout", "The topic gout is not served. Choose one of leg-cramps."),
        ("topic", "x" * 90, "x" * 39 + "…"),
        ("states", {"labs": "null"}, "labs is not a prefetch key"),
        ("selections", ["MedicationRequest/q1"], "without drafts"),
        ("pasted", "{}", "a patient and a pasted record"),
        ("as of", "", "not a date"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    demo: Demo, field: str, value: object, named: str
) -> None:
    sent = {"patient": "low-magnesium", "asOf" if field == "as of" else field: value}
    refused = demo().post("/demo/answer", json=sent)
    assert refused.status_code == 400
    assert refused.get_json()["issue"][0]["expression"] == [field]
    assert named in error_of(refused)


def test_the_chart_names_the_patient_and_the_missing_data(demo: Demo) -> None:
    record = bundle(fhir.lab("2823-3", 5.9, when="2026-11-20", status="preliminary"))
    record["entry"][0]["resource"]["deceasedBoolean"] = True
    answer = ask(demo(), pasted=json.dumps(record), states={"allergies": "null"})
    chart = answer["html"]["chart"]
    assert "deceased" in chart
    assert "preliminary: 5.9 mmol/L" in chart
    assert "None on file." in chart


def test_a_list_with_an_entry_is_not_said_to_be_empty(demo: Demo) -> None:
    """Its medication is a statement; there are no requests."""
    chart = ask(demo(), patient="magnesium-in-dialysis")["html"]["chart"]
    medications = chart.partition("<h3>Medications</h3>")[2].partition("<h3>")[0]
    assert "Magnesium Oxide" in medications
    assert "None on file" not in medications


def test_a_result_that_cannot_be_used_is_listed_once(demo: Demo) -> None:
    trace = ask(demo(), patient="partial-data-unknown-unit")["trace"]
    assert [problem["reference"] for problem in trace["problems"]] == ["Observation/magnesium-1"]


def test_a_key_sent_as_null_is_shown_as_null(demo: Demo) -> None:
    request = ask(demo(), patient="low-magnesium")["request"]
    request["prefetch"]["allergies"] = None
    answer = ask(demo(), pasted=json.dumps(request))
    kinds = {data["kind"]: data["state"] for data in answer["trace"]["data"]}
    assert kinds["allergies"] == "none"
    assert answer["request"]["prefetch"]["allergies"] is None


def test_bodies_are_limited_as_by_the_service(demo: Demo) -> None:
    client = demo(max_body_mb=0.001)
    response = client.post("/demo/answer", json={"pasted": "x" * 2000})
    assert response.status_code == 413
    assert client.post("/demo/answer", data="x", content_type="text/plain").status_code == 415


@pytest.mark.parametrize("hook", ["patient-view", "order-select"])
def test_hostile_text_of_a_record_stays_text(demo: Demo, hook: str) -> None:
    answer = ask(demo(), pasted=json.dumps(hostile_bundle()), hook=hook)
    assert rules_of(answer)
    html = "".join(answer["html"].values())
    names = {tag for tag, _ in Tags(html).tags}
    assert not names & {"img", "script", "iframe", "object"}
    assert not [
        name for _, attributes in Tags(html).tags for name in attributes if name[:2] == "on"
    ]
    assert "&lt;img src=x" in html
    assert "{{ 7*7 }}" in answer["html"]["chart"]


def test_with_trusted_clients_the_page_answers_without_a_token(demo: Demo, tmp_path: Path) -> None:
    _, public = make_key_pair("ES384")
    clients = tmp_path / "clients.json"
    entry = {"iss": "https://ehr.example", "jwks": {"keys": [public]}}
    clients.write_text(json.dumps([entry]), encoding="utf-8")
    client = demo(trusted_clients=str(clients), fhir_servers="http://127.0.0.1:9/fhir")
    assert "requires a signed token" in client.get("/").text
    answer = ask(client, patient="low-magnesium")
    address = f"/cds-services/{answer['service']}"
    assert client.post(address, json=answer["request"]).status_code == 401
    feedback = {
        "card": answer["response"]["cards"][0]["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-23T12:00:00Z",
    }
    assert client.post(f"{address}/feedback", json={"feedback": [feedback]}).status_code == 401
    assert send_feedback(client, answer, [feedback]) == 200
    # Nor does the page call a FHIR server for a user without a token.
    request = {**answer["request"], "fhirServer": "http://127.0.0.1:9/fhir"}
    del request["prefetch"]["results"]
    answer = ask(client, pasted=json.dumps(request))
    reasons = {data["kind"]: data["reason"] for data in answer["trace"]["data"]}
    assert "not on the allowlist" in reasons["results"]


def test_without_the_fixtures_the_page_offers_pasting(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "patient_folders", lambda _topics: {})
    text = demo().get("/").text
    assert "No sample patients are installed" in text
    assert "data-patient=" not in text
    assert 'id="add"' not in text  # nor orders
    assert 'id="own" open' in text


def test_the_report_counts_what_was_shown_and_answered(demo: Demo) -> None:
    client = demo()
    assert "No card has been shown or answered yet" in client.get("/report?site=demo").text
    answer = ask(client, patient="low-magnesium")
    card = answer["response"]["cards"][0]
    element = {
        "card": card["uuid"],
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-23T12:00:00Z",
        "overrideReason": {
            "reason": {"code": "action-completed", "system": "x"},
            "userComment": "<b>done</b>",
        },
    }
    assert send_feedback(client, answer, [element]) == 200
    assert "No card has been shown or answered yet" in client.get("/report").text
    text = client.get("/report?site=demo").text
    row = text[text.index('<tr data-rule="low-magnesium"') :].split("</tr>")[0]
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
    assert cells[0].startswith("Documented low magnesium")
    assert '<a href="/rules/low-magnesium">' in cells[0]
    assert client.get("/rules/low-magnesium").status_code == 200
    assert cells[1:7] == ["1", "0", "100.00", "1.00", "1.00", ""]
    assert cells[7:10] == ["0", "1", "0 % (0 to 79)"]
    assert "Already done: 1" in cells[10]
    assert cells[11] == "1"
    assert '<svg xmlns="http://www.w3.org/2000/svg" role="img"' in cells[12]
    assert "<b>" not in text
    assert "data-silent" not in text


def test_orders_can_be_signed_on_the_page(demo: Demo) -> None:
    client = demo()
    answer = ask(client, patient="potassium-being-ordered", hook="order-sign")
    assert answer["service"] == "leg-cramps-order-sign"
    assert "selections" not in answer["request"]["context"]
    assert answer["response"]["cards"]


def test_the_page_offers_every_hook_that_is_served(demo: Demo) -> None:
    labels = re.findall(r'<label>(<input [^>]*name="hook".*)</label>', demo().get("/").text)
    drafts = 'type="radio" name="hook" data-drafts value'
    given = 'type="radio" name="hook" value'
    assert labels[:3] == [
        f'<input {given}="patient-view" checked> The chart is opened <small>patient-view</small>',
        f'<input {drafts}="order-select"> Orders are selected <small>order-select</small>',
        f'<input {drafts}="order-sign"> Orders are signed <small>order-sign</small>',
    ]
    assert len(labels) == len(TOPIC.services)


def test_a_rule_that_is_mostly_overridden_is_marked_for_review(demo: Demo) -> None:
    client = demo()
    # Ten random bits distinguish displays of one card, so a few may coincide.
    answers = [ask(client, patient="low-magnesium") for _ in range(40)]
    answer = answers[0]
    elements = [
        {
            "card": answer["response"]["cards"][0]["uuid"],
            "outcome": "overridden",
            "outcomeTimestamp": f"2026-11-23T12:00:{second:02}Z",
        }
        for second, answer in enumerate(answers)
    ]
    assert send_feedback(client, answer, elements) == 200
    assert '<tr data-rule="low-magnesium" class="review">' in client.get("/report?site=demo").text


def test_the_page_counts_the_same_patients_as_the_service(demo: Demo) -> None:
    client = demo()
    parts = client.application.extensions["cds_parts"]

    def patients() -> int:
        parts.records.shown_cards.flush()
        parts.records.denominators.flush()
        rules = report(parts.records.database, (), "demo", services_of(parts.topics)).rules
        return next(rule.patients for rule in rules if rule.id == "low-magnesium")

    request = ask(client, patient="low-magnesium")["request"]
    assert patients() == 1
    ask(client, pasted=json.dumps(request))
    assert patients() == 1
    # The same id at another server is another patient.
    ask(client, pasted=json.dumps(request | {"fhirServer": "https://one.example/fhir"}))
    ask(client, pasted=json.dumps(request | {"fhirServer": "https://one.example/fhir/"}))
    assert patients() == 2


def test_trials_on_the_page_appear_in_no_hospitals_report(demo: Demo) -> None:
    client = demo()
    answer = ask(client, patient="low-magnesium")
    parts = client.application.extensions["cds_parts"]
    parts.records.shown_cards.flush()
    parts.records.denominators.flush()
    services = services_of(parts.topics)

    def low(site: str | None) -> Counter[int]:
        rules = report(parts.records.database, (), site, services).rules
        return sum((Counter({0: rule.shown, 1: rule.calls, 2: rule.patients}) for rule in rules
                    if rule.id == "low-magnesium"), Counter())  # fmt: skip

    assert low("demo") == {0: 1, 1: 1, 2: 1}
    assert low(None) == low("default") == {}
    # A call of an EHR counts for the hospital only; feedback on one cannot reach the other.
    theirs = client.post(f"/cds-services/{answer['service']}", json=answer["request"]).get_json()
    parts.records.shown_cards.flush()
    parts.records.denominators.flush()
    assert low("demo") == low(None) == low("default") == {0: 1, 1: 1, 2: 1}
    element = {
        "card": next(
            card["uuid"]
            for card in theirs["cards"]
            if card["source"]["topic"]["code"] == "low-magnesium"
        ),
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-23T12:00:00Z",
    }
    assert send_feedback(client, answer, [element]) == 200
    for site in ("demo", None):
        rules = report(parts.records.database, (), site, services).rules
        assert sum(rule.overridden for rule in rules) == 0


def test_silent_mode_is_shown(demo: Demo) -> None:
    client = demo()
    normal = ask(client, patient="low-magnesium")
    quiet = ask(client, patient="low-magnesium", silent=True)
    assert quiet["response"] == {"cards": []}
    silent_rules = re.findall(r'data-silent="([^"]+)"', quiet["html"]["cards"])
    assert silent_rules == rules_of(normal)
    assert quiet["status"].startswith(f"No cards: in silent mode, {len(silent_rules)} rule")
    assert quiet["html"]["cards"].count("No cards") == 0
    assert "silent" in quiet["html"]["why"]
    text = client.get("/report?site=demo").text
    for row, cards in (
        ('<tr data-rule="low-magnesium"', "1"),
        ('<tr data-silent="low-magnesium"', "1"),
    ):
        html = text[text.index(row) :].split("</tr>")[0]
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", html, re.DOTALL)
        assert cells[1] == cards
        assert cells[3] == "50.00"  # one of two calls
    assert text.index("Cards shown") < text.index("Silent rules")


def test_the_report_lists_the_configured_sites(demo: Demo) -> None:
    client = demo()
    assert client.get("/report?site=elsewhere").status_code == 404
    assert client.get("/report?site=").status_code == 200
