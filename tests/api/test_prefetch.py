"""Prefetch: templates that any client can fill, and five states that are never mixed up."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from rich.pretty import pretty_repr

from cds_service.calls.envelope import Authorization, Envelope, read_envelope
from cds_service.core.facts import Kind, State
from cds_service.core.kinds import KIND_OF, KINDS, REPORTED_WITH
from cds_service.engine.hook import PATIENT_VIEW
from cds_service.engine.topic import Service, Topic
from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.values.versions import R4_TYPES, r4_type
from cds_service.outbound.fhir_servers import allowed_server
from cds_service.sources.fetch.client import Access
from cds_service.sources.fetch.pages import FetchedData
from cds_service.sources.obtaining import Obtaining
from cds_service.sources.prefetch import NOT_ASKED, PrefetchKey, keys_of
from hooks import TOPIC
from tests.api.minimal_service import (
    NAMELESS,
    QUININE,
    SELECT,
    VIEW,
    body,
    draft,
    issue,
    known,
    order_body,
    post,
    potassium,
    prefetch,
    topics,
)
from tests.testing import fhir
from tests.testing.fhir import searchset

SERVER = "https://fhir.example/r4"
OUTCOME = fhir.outcome("error", "exception", diagnostics="CANARY")
HINT = fhir.outcome("warning", "informational")
NEXT = {"link": [{"relation": "self", "url": "a"}, {"relation": "next", "url": "b"}]}

# --- templates --------------------------------------------------------------------------

_SHAPE = re.compile(
    r"(Patient/\{\{context\.patientId\}\}|Encounter/\{\{context\.encounterId\}\}"
    r"|[A-Z][A-Za-z]+\?patient=\{\{context\.patientId\}\}(&(code|status|_sort|_count)=[^&{}\s]+)*)"
)


def _templates(which: str) -> dict[str, PrefetchKey]:
    rules, codes = {
        "tests": _real(known(), 0),
        "patient-view": _real(TOPIC, 0),
        "order-select": _real(TOPIC, 1),
    }[which]
    return {key.name: key for key in keys_of(rules, codes)}


def _real(topic: Topic, number: int) -> tuple[Any, Any]:
    return topic.services[number].rules, topic.knowledge.codes


@pytest.mark.parametrize("which", ["tests", "patient-view", "order-select"])
def test_templates_are_legal_for_every_client(which: str) -> None:
    keys = _templates(which)

    assert len(keys) <= 8
    for key in keys.values():
        assert _SHAPE.fullmatch(key.template), key.template
        names = re.findall(r"[?&]([^=]+)=", key.template)
        assert len(names) == len(set(names)), "a repeated parameter is collapsed by clients"
        assert len(key.template) < 6000, "servers refuse very long addresses"


def test_a_key_is_asked_for_only_where_a_rule_needs_it() -> None:
    names = {key.name for key in keys_of(*_real(known(), 1))}

    # Conditions include the reason for the visit.
    assert names == {"patient", "conditions", "encounter"}


def test_results_are_asked_for_by_the_codes_of_the_analytes_in_order() -> None:
    assert _templates("tests")["results"].template == (
        "Observation?patient={{context.patientId}}"
        "&code=http://loinc.org|2823-3,http://loinc.org|6298-4&_sort=-date&_count=500"
    )


# --- states -----------------------------------------------------------------------------


class Server:
    """A stand-in for the FHIR client: records the requests and returns prepared responses."""

    def __init__(self, **answers: FetchedData) -> None:
        self.answers = answers
        self.requests: dict[str, str] = {}
        self.access: Access | None = None

    def __call__(
        self, queries: Mapping[str, str], access: Access, patient_id: str, *, deadline_s: float
    ) -> dict[str, FetchedData]:
        self.requests, self.access = dict(queries), access
        unavailable = FetchedData("unavailable", (), "the FHIR server answered 500", 500, 1)
        return {key: self.answers.get(key, unavailable) for key in queries}


def _envelope(call: dict[str, Any]) -> Envelope:
    import json

    service = Service("any-service", PATIENT_VIEW, "", "", ())
    return read_envelope(json.dumps(call).encode(), service, datetime(2026, 3, 10, tzinfo=UTC))


def _delivered(
    call: dict[str, Any], server: Server | None = None, open_servers: bool = False
) -> dict[Kind, Delivery]:
    obtaining = Obtaining(allowed_server, server or Server(), 3.0, open_servers)
    keys = tuple(_templates("tests").values())
    deliveries, _ = obtaining.deliveries(_envelope(call), keys, [SERVER])
    assert set(deliveries) == {key.kind for key in keys}
    return deliveries


def _with_token(**changes: Any) -> dict[str, Any]:
    authorization = {
        "access_token": "secret",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "cds",
        "patient": "p1",
    }
    return body(fhirServer=f"{SERVER}/", fhirAuthorization=authorization, **changes)


@pytest.mark.parametrize(
    ("value", "state", "pages"),
    [
        pytest.param(searchset(potassium("3.1")), State.GIVEN, 1, id="a Bundle"),
        pytest.param(searchset(entry=None), State.GIVEN, 1, id="an empty Bundle"),
        pytest.param(
            searchset(entry=None, link=[{"relation": "self"}]), State.GIVEN, 1, id="a whole Bundle"
        ),
        pytest.param(potassium("3.1"), State.GIVEN, 1, id="a resource instead of a Bundle"),
        pytest.param("<html>Tomcat</html>", State.GIVEN, 1, id="HTML, for the reader to report"),
        pytest.param(7, State.GIVEN, 1, id="a number, for the reader to report"),
        pytest.param(None, State.NONE, 0, id="null"),
        pytest.param(OUTCOME, State.UNAVAILABLE, 0, id="an OperationOutcome"),
        pytest.param(searchset(OUTCOME), State.UNAVAILABLE, 0, id="only an OperationOutcome"),
        pytest.param(searchset(potassium("3"), OUTCOME), State.PARTIAL, 1, id="an error in part"),
        pytest.param(searchset(potassium("3"), HINT), State.GIVEN, 1, id="only a hint"),
        pytest.param(
            searchset(entry=[7, "OperationOutcome"]),
            State.GIVEN,
            1,
            id="entries of another form, for the reader to report",
        ),
        pytest.param(searchset(potassium("3"), **NEXT), State.PARTIAL, 1, id="the first page"),
        pytest.param(searchset(potassium("3"), total=1), State.GIVEN, 1, id="as many as the total"),
        pytest.param(
            searchset(potassium("3"), total=2), State.PARTIAL, 1, id="fewer than the total"
        ),
        pytest.param(searchset(entry=None, total=3), State.PARTIAL, 1, id="only a total"),
        pytest.param({"data": searchset(potassium("3"))}, State.GIVEN, 1, id="wrapped"),
        pytest.param({"resource": OUTCOME}, State.UNAVAILABLE, 0, id="an outcome, wrapped"),
        pytest.param(
            {"response": {"status": "200"}, "resource": searchset(potassium("3"), **NEXT)},
            State.PARTIAL,
            1,
            id="the first page, wrapped",
        ),
    ],
)
@pytest.mark.parametrize("key", ["results", "conditions"])
def test_every_prefetch_value_has_exactly_one_state(
    key: str, value: Any, state: State, pages: int
) -> None:
    delivery = _delivered(body(prefetch=prefetch(**{key: value})))[Kind(key)]

    assert (delivery.state, len(delivery.pages)) == (state, pages)
    assert delivery.origin == f"prefetch.{key}"
    assert "CANARY" not in delivery.reason
    assert bool(delivery.reason) is (state in (State.UNAVAILABLE, State.PARTIAL))


def test_an_encounter_that_the_context_does_not_name_is_not_missing() -> None:
    server = Server()

    delivery = _delivered(_with_token(), server)[Kind.ENCOUNTER]

    assert (delivery.state, delivery.reason) == (State.NONE, NOT_ASKED)
    assert "encounter" not in server.requests


def test_an_encounter_that_was_named_is_fetched() -> None:
    server = Server()
    call = _with_token()
    call["context"]["encounterId"] = "e1"

    _delivered(call, server)

    assert server.requests == {"encounter": "Encounter/e1"}


def test_only_missing_keys_are_fetched() -> None:
    given = prefetch(conditions=OUTCOME, allergies=None)
    del given["results"], given["orders"]
    fetched = FetchedData("given", (b'{"resourceType":"Bundle"}',), "", 200, 5)
    server = Server(results=fetched)

    delivered = _delivered(_with_token(prefetch=given), server)

    assert set(server.requests) == {"results", "orders"}
    assert server.requests["orders"] == "ServiceRequest?patient=p1&status=active&_count=500"
    assert server.access == Access(SERVER, Authorization("secret", "patient/*.read", "p1"), SERVER)
    assert delivered[Kind.RESULTS] == Delivery(
        Kind.RESULTS, State.GIVEN, fetched.pages, "FHIR server", ""
    )
    assert delivered[Kind.ORDERS].state is State.UNAVAILABLE
    assert delivered[Kind.ORDERS].reason == "the FHIR server answered 500"
    assert delivered[Kind.CONDITIONS].state is State.UNAVAILABLE


def test_a_first_page_is_replaced_by_all_pages_when_they_can_be_fetched() -> None:
    paged = body(prefetch=prefetch(results=searchset(potassium("3.1"), **NEXT)))
    fetched = FetchedData("given", (b'{"resourceType":"Bundle"}', b"{}"), "", 200, 5)

    complete = _delivered(_with_token() | {"prefetch": paged["prefetch"]}, Server(results=fetched))
    first_page = _delivered(_with_token() | {"prefetch": paged["prefetch"]}, Server())

    assert complete[Kind.RESULTS].state is State.GIVEN
    assert complete[Kind.RESULTS].pages == fetched.pages
    assert first_page[Kind.RESULTS].state is State.PARTIAL
    assert len(first_page[Kind.RESULTS].pages) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        pytest.param(body(prefetch={}), "names no FHIR server", id="no server"),
        pytest.param(
            body(prefetch={}, fhirServer="https://evil.example"), "allowlist", id="not listed"
        ),
        pytest.param(
            _with_token(prefetch={}) | {"fhirServer": "https://fhir.example@evil.example/r4"},
            "allowlist",
            id="disguised",
        ),
        pytest.param(body(prefetch={}, fhirServer=SERVER), "no token", id="no token"),
    ],
)
def test_data_that_were_not_sent_and_cannot_be_fetched_are_absent(
    call: dict[str, Any], words: str
) -> None:
    server = Server()

    deliveries = _delivered(call, server)

    assert not server.requests
    assert deliveries[Kind.RESULTS].state is State.ABSENT
    assert words in deliveries[Kind.RESULTS].reason


def test_a_sandbox_can_be_queried_without_a_token() -> None:
    server = Server()

    _delivered(body(prefetch={}, fhirServer=SERVER), server, open_servers=True)

    assert server.access == Access(SERVER, None, SERVER)


def test_additional_prefetch_keys_are_read_by_content_as_partial_data() -> None:
    given = {
        "demographics": searchset(fhir.resource("Patient", id="p1")),
        "labs": searchset(potassium("3.1")),
        "moreLabs": searchset(potassium("4.1", 2), HINT),
        "text": "<html>",
        "nothing": None,
    }

    delivered = _delivered(body(prefetch=given))

    assert delivered[Kind.PATIENT].state is State.GIVEN
    assert (delivered[Kind.RESULTS].state, len(delivered[Kind.RESULTS].pages)) == (State.PARTIAL, 2)
    assert delivered[Kind.CONDITIONS].state is State.ABSENT


def test_an_additional_prefetch_key_is_read_together_with_ours() -> None:
    more = searchset(potassium("3.1"))

    delivered = _delivered(body(prefetch=prefetch(results=None, labs=more)))
    assert (delivered[Kind.RESULTS].state, len(delivered[Kind.RESULTS].pages)) == (State.PARTIAL, 1)

    delivered = _delivered(
        body(prefetch=prefetch(results=searchset(potassium("4.1", 2)), labs=more))
    )
    assert (delivered[Kind.RESULTS].state, len(delivered[Kind.RESULTS].pages)) == (State.GIVEN, 2)

    delivered = _delivered(
        body(prefetch=prefetch(who=searchset(fhir.resource("Patient", id="p1"))))
    )
    assert len(delivered[Kind.PATIENT].pages) == 1


def test_documents_under_an_additional_prefetch_key_make_nothing_incomplete() -> None:
    others = [fhir.resource(name) for name in ("DocumentReference", "QuestionnaireResponse")]
    mixed = searchset(potassium("3.1"), *others, fhir.resource("MedicationDispense"))
    deliveries = _delivered(body(prefetch=prefetch(everything=mixed)))
    (page,) = deliveries[Kind.RESULTS].pages[1:]
    types = [entry["resource"]["resourceType"] for entry in json.loads(page)["entry"]]
    assert types == ["Observation", "MedicationDispense"]


@pytest.mark.parametrize("name", [*R4_TYPES, *KIND_OF, "medicationusage", "deviceRequest"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a Bundle"])
def test_every_type_that_is_read_is_recognised_under_an_additional_key(
    name: str, alone: bool
) -> None:
    kind = KIND_OF[r4_type(name)]
    resource = fhir.resource(name, id="x1", subject=fhir.subject())
    call = body(prefetch={"theirs": resource if alone else searchset(resource)})
    call["context"]["encounterId"] = "e1"

    deliveries = _delivered(call)

    assert deliveries[kind].state is (State.GIVEN if KINDS[kind].single else State.PARTIAL)
    intake = Intake({kind: deliveries[kind]})
    assert intake.tallies[kind].expected == 1 and not intake.problems


@pytest.mark.parametrize("name", [*R4_TYPES, "medicationorder", "NutritionOrder"])
def test_an_earlier_name_stays_beside_another_kind_under_an_additional_key(name: str) -> None:
    mixed = searchset(potassium("3.1"), fhir.resource(name, id="x1"))

    deliveries = _delivered(body(prefetch=prefetch(everything=mixed)))

    page = deliveries[KIND_OF[r4_type(name)]].pages[-1]
    assert name in {entry["resource"]["resourceType"] for entry in json.loads(page)["entry"]}


@pytest.mark.parametrize("name", sorted(REPORTED_WITH))
@pytest.mark.parametrize(
    ("ours", "state", "problem"),
    [
        (searchset(fhir.resource("MedicationRequest", id="m1")), State.GIVEN, "not-read"),
        (searchset(), State.UNAVAILABLE, "wrong-type"),
        (None, State.UNAVAILABLE, "wrong-type"),
        ({}, State.UNAVAILABLE, "wrong-type"),
    ],
    ids=["beside requests", "beside none", "beside null", "alone"],
)
def test_what_was_dispensed_is_reported_under_an_additional_key(
    name: str, ours: Any, state: State, problem: str
) -> None:
    given = prefetch(
        theirs=searchset(fhir.resource(name, status="completed"), fhir.resource("Account")),
        medicationRequests=ours,
    )
    if ours == {}:
        del given["medicationRequests"]

    delivery = _delivered(body(prefetch=given))[Kind.MEDICATIONS]

    intake = Intake({Kind.MEDICATIONS: delivery})
    assert intake.availability()[Kind.MEDICATIONS].state is state
    ((kind, reason),) = {(problem.kind, problem.reason) for problem in intake.problems}
    assert kind == problem and name in reason


@pytest.mark.parametrize(
    ("more", "pages"),
    [
        ({"contained": [potassium("3.1")]}, 1),
        ({"conclusion": "Potassium 3.1"}, 1),
        ({"conclusion": "No fracture", "category": {"text": "Radiology"}}, 0),
        ({}, 0),
    ],
    ids=["with results", "of a laboratory", "of another department", "saying nothing"],
)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a Bundle"])
def test_a_report_is_read_as_results_under_an_additional_key(
    more: dict[str, Any], pages: int, alone: bool
) -> None:
    report = fhir.resource("DiagnosticReport", status="final", **more)
    deliveries = _delivered(body(prefetch={"theirs": report if alone else searchset(report)}))
    assert len(deliveries[Kind.RESULTS].pages) == pages


def test_a_dispense_entered_in_error_says_nothing_under_an_additional_key() -> None:
    dispense = fhir.resource("MedicationDispense", status="entered-in-error")
    deliveries = _delivered(body(prefetch=prefetch(theirs=searchset(dispense))))
    assert len(deliveries[Kind.MEDICATIONS].pages) == 1


def test_the_token_stays_beside_the_call() -> None:
    envelope = _envelope(_with_token())
    assert envelope.authorization is not None and envelope.authorization.token == "secret"
    assert b"secret" not in pickle.dumps(envelope.call)


def test_neither_an_envelope_with_a_token_nor_the_access_it_gives_can_be_pickled() -> None:
    envelope = _envelope(_with_token())
    for one in (
        envelope.authorization,
        envelope,
        Access("https://a.example", envelope.authorization),
    ):
        with pytest.raises(TypeError, match="an access token is never pickled"):
            pickle.dumps(one)


def test_the_representation_of_an_envelope_hides_the_token() -> None:
    envelope = _envelope(_with_token())
    for one in (
        envelope,
        envelope.authorization,
        Access("https://a.example", envelope.authorization),
    ):
        assert "secret" not in repr(one) + pretty_repr(one)
    assert "secret" not in repr(Authorization("secret", "patient/*.read"))


# --- what a caller sees ------------------------------------------------------------------


def test_a_call_without_anything_is_412_and_names_the_missing_keys(client: FlaskClient) -> None:
    call = body()
    del call["prefetch"]

    response = post(client, VIEW, call)

    assert response.status_code == 412
    reported = issue(response)
    assert reported["code"] == "processing"
    for name in ("patient", "results", "conditions", "medicationRequests", "orders"):
        assert name in reported["details"]["text"]
    assert "encounter" not in reported["details"]["text"]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"results": OUTCOME, "conditions": searchset(OUTCOME)}, id="errors"),
        pytest.param({"results": "<html>", "patient": 7}, id="what cannot be read"),
        pytest.param({"patient": fhir.patient("p2")}, id="another patient"),
    ],
)
def test_nothing_usable_at_all_is_412(client: FlaskClient, given: dict[str, Any]) -> None:
    response = post(client, VIEW, body(prefetch=given))

    assert response.status_code == 412
    assert "CANARY" not in response.text


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(dict.fromkeys(prefetch()), id="null in all keys"),
        pytest.param({"conditions": None}, id="null in one key"),
        pytest.param({"patient": fhir.patient()}, id="the patient alone"),
        pytest.param({"results": {"resourceType": "Bundle"}}, id="a Bundle without entries"),
    ],
)
def test_one_key_with_data_is_enough(client: FlaskClient, given: dict[str, Any]) -> None:
    assert topics(post(client, VIEW, body(prefetch=given))) == []


def test_a_dangerous_order_is_judged_without_any_data(client: FlaskClient) -> None:
    call = order_body(QUININE)
    del call["prefetch"]

    assert topics(post(client, SELECT, call)) == ["quinine-ordered"]


def test_an_order_that_no_rule_judges_needs_some_data(client: FlaskClient) -> None:
    other = draft("Paper towels")
    without = order_body(other)
    del without["prefetch"]

    assert post(client, SELECT, without).status_code == 412
    assert topics(post(client, SELECT, order_body(other))) == []


def test_an_order_that_names_nothing_yet_needs_no_data(client: FlaskClient) -> None:
    without = order_body(NAMELESS)
    del without["prefetch"]

    assert topics(post(client, SELECT, without)) == []
    assert topics(post(client, SELECT, order_body(NAMELESS))) == []


def test_a_draft_that_was_not_selected_is_not_judged(client: FlaskClient) -> None:
    other = draft("Paper towels") | {"id": "other"}
    call = order_body(QUININE, other, selections=["MedicationRequest/other"])

    assert topics(post(client, SELECT, call)) == []
