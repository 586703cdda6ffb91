"""HTTP itself: addresses, methods, media types, limits, headers, CORS, callers, faults."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.exceptions import (
    BadGateway,
    HTTPException,
    RequestEntityTooLarge,
    RequestURITooLarge,
    UnsupportedMediaType,
)

from cds_service.calls import shapes
from cds_service.feedback.report import report
from tests.api.minimal_service import (
    INSTANCE,
    QUININE,
    SELECT,
    VIEW,
    body,
    feedback,
    issue,
    order_body,
    post,
    potassium,
    prefetch,
    topics,
)
from tests.testing.fhir import searchset

ORIGIN = "https://sandbox.cds-hooks.org"
ADDRESSES = ["/cds-services", VIEW, SELECT, f"{VIEW}/feedback", f"{SELECT}/data-requirements",
             "/healthz", "/readyz", "/metrics", "/openapi.json"]  # fmt: skip
Make = Callable[..., FlaskClient]

# --- discovery --------------------------------------------------------------------------


def test_discovery_has_the_right_shape_and_lists_all_services(client: FlaskClient) -> None:
    response = client.get("/cds-services")

    assert response.status_code == 200
    document = response.get_json()
    shapes.check("discovery", document)
    assert [(service["hook"], service["id"]) for service in document["services"]] == [
        ("patient-view", "leg-cramps-patient-view"),
        ("order-select", "leg-cramps-order-select"),
    ]
    for service in document["services"]:
        assert "optional" in service["usageRequirements"]
        for key in service["prefetch"]:
            assert key in service["usageRequirements"]


def test_unchanged_discovery_is_304(client: FlaskClient) -> None:
    first = client.get("/cds-services")

    again = client.get("/cds-services", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


def test_data_requirements_have_the_right_shape_and_name_codes_and_windows(
    client: FlaskClient,
) -> None:
    document = client.get(f"{VIEW}/data-requirements").get_json()

    shapes.check("data-requirements", document)
    (rule,) = document["rules"]
    need = next(need for need in rule["needs"] if need.get("analyte") == "potassium")
    assert need["key"] == "results"
    assert need["within"] == "30 days"
    assert need["required"] is True
    assert {"system": "http://loinc.org", "code": "2823-3", "display": "Potassium"} in need["codes"]
    assert {key["key"] for key in document["prefetch"]} >= {need["key"] for need in rule["needs"]}


# --- answers ----------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "call"), [(VIEW, body()), (SELECT, order_body(QUININE))])
def test_an_answer_has_the_right_shape_and_no_empty_values(
    client: FlaskClient, path: str, call: dict[str, Any]
) -> None:
    response = post(client, path, call)

    assert response.content_type.startswith("application/json")
    answer = response.get_json()
    shapes.check("response", answer)
    assert len(answer["cards"]) == 1
    _nothing_empty(answer["cards"])


def _nothing_empty(value: Any) -> None:
    assert value not in (None, "", [], {})
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _nothing_empty(item)


def test_without_findings_the_list_of_cards_is_empty(client: FlaskClient) -> None:
    response = post(client, VIEW, body(prefetch=prefetch(results=searchset(potassium("4.2")))))

    assert response.get_json() == {"cards": []}


def test_the_same_call_twice_gives_the_same_cards_under_other_ids(client: FlaskClient) -> None:
    first, second = (post(client, VIEW, body()).get_json()["cards"] for _ in range(2))

    assert first[0].pop("uuid") != second[0].pop("uuid")
    assert first == second


def test_too_many_entries_are_413(client: FlaskClient) -> None:
    many = b",".join([b"{}"] * 50_001)
    call = json.dumps(body(prefetch=prefetch(results="MANY"))).encode()

    response = post(
        client, VIEW, call.replace(b'"MANY"', b'{"resourceType":"Bundle","entry":[' + many + b"]}")
    )

    assert response.status_code == 413
    assert "50,000" in issue(response)["details"]["text"]


# --- methods, addresses, media types ------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", VIEW, {"OPTIONS", "POST"}),
        ("PUT", SELECT, {"OPTIONS", "POST"}),
        ("DELETE", f"{VIEW}/feedback", {"OPTIONS", "POST"}),
        ("POST", "/cds-services", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/metrics", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_another_method_is_405_and_names_the_allowed_ones(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    response = client.open(path, method=method)

    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == allowed
    assert issue(response)["code"] == "not-supported"


@pytest.mark.parametrize(
    "path",
    ["/", "/cds-services/other", "/cds-services/other/feedback", f"{VIEW}/", "/cds-services/",
     "/cds-services/leg-cramps-patient-view%00", "/../etc/passwd", "/static/x"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_address_is_404(client: FlaskClient, path: str, method: str) -> None:
    response = client.open(path, method=method)

    assert response.status_code == 404
    assert issue(response)["code"] == "not-found"


@pytest.mark.parametrize("path", ["/cds-services", "/healthz", "/openapi.json"])
def test_head_is_get_without_the_body(client: FlaskClient, path: str) -> None:
    response = client.head(path)

    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len(client.get(path).data))


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/fhir+json", "application/json; charset=utf-8",
     "Application/FHIR+JSON;fhirVersion=4.0", None],
)  # fmt: skip
def test_json_media_types_are_accepted(client: FlaskClient, media_type: str | None) -> None:
    assert topics(post(client, VIEW, body(), content_type=media_type)) == ["low-potassium"]


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded",
                   "multipart/form-data; boundary=x", "application/jsonp"]
)  # fmt: skip
@pytest.mark.parametrize("path", [VIEW, f"{SELECT}/feedback"])
def test_another_media_type_is_415(client: FlaskClient, path: str, media_type: str) -> None:
    response = post(client, path, body(), content_type=media_type)

    assert response.status_code == 415
    assert issue(response)["diagnostics"] == "Send application/json."


def test_a_compressed_body_is_415(client: FlaskClient) -> None:
    response = post(client, VIEW, body(), headers={"Content-Encoding": "gzip"})

    assert response.status_code == 415


# --- limits -----------------------------------------------------------------------------


# The test client always announces a length; a chunked body has none.
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}


class Stream(io.BytesIO):
    """A body that remembers how much of it was read."""

    @property
    def bytes_read(self) -> int:
        return self.tell()


@pytest.mark.parametrize("announced", [True, False], ids=["with a length", "chunked"])
def test_a_body_over_the_limit_is_413_and_read_to_its_end(service: Make, announced: bool) -> None:
    client = service(max_body_mb=0.01)
    content = json.dumps(body(more="x" * 20_000)).encode()
    stream = Stream(content)

    response = client.post(
        VIEW,
        input_stream=stream,
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": str(len(content))} if announced else CHUNKED,
    )

    assert response.status_code == 413
    assert issue(response)["details"]["text"] == "The body is larger than 0.01 MB."
    assert stream.bytes_read == len(content)


def test_an_endless_body_is_read_only_up_to_a_limit(service: Make) -> None:
    client = service(max_body_mb=0.001)
    stream = Stream(b" " * 1_000_000)

    response = client.post(
        VIEW,
        input_stream=stream,
        content_type="application/json",
        environ_overrides=CHUNKED,
    )

    assert response.status_code == 413
    assert stream.bytes_read < 10_000


def test_a_chunked_body_under_the_limit_is_read(client: FlaskClient) -> None:
    response = client.post(
        VIEW,
        input_stream=io.BytesIO(json.dumps(body()).encode()),
        content_type="application/json",
        environ_overrides=CHUNKED,
    )

    assert topics(response) == ["low-potassium"]


def test_a_client_that_sends_expect_100_continue_is_refused_unread(client: FlaskClient) -> None:
    stream = Stream(b"{}")

    response = client.post(
        VIEW,
        input_stream=stream,
        content_type="text/plain",
        headers={"Expect": "100-continue"},
    )

    assert response.status_code == 415
    assert stream.bytes_read == 0


def test_a_body_that_breaks_off_is_400(client: FlaskClient) -> None:
    content = json.dumps(body()).encode()

    response = client.post(
        VIEW,
        input_stream=io.BytesIO(content),
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": str(len(content) + 1)},
    )

    assert response.status_code == 400
    assert "is incomplete" in issue(response)["details"]["text"]


# --- headers and CORS --------------------------------------------------------------------


@pytest.mark.parametrize("path", [*ADDRESSES, "/nowhere"])
def test_every_answer_carries_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_cards_may_not_be_cached(client: FlaskClient) -> None:
    assert post(client, VIEW, body()).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_preflight_is_answered_without_credentials(
    service: Make, tmp_path: Path, path: str
) -> None:
    client = service(trusted_clients=_clients(tmp_path), discovery_auth=True)

    response = client.options(
        path,
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type",
        },
    )

    assert response.status_code in (200, 204)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    methods = response.headers["Access-Control-Allow-Methods"].split(", ")
    assert sorted(methods) == ["GET", "OPTIONS", "POST"]
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert sorted(allowed) == ["authorization", "content-type"]
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        (VIEW, body(), 200),
        (VIEW, body(prefetch=None), 412),
        (VIEW, b"{", 400),
        ("/cds-services/other", body(), 404),
        ("/cds-services", body(), 405),
    ],
)
def test_answers_and_errors_can_be_read_by_browsers(
    client: FlaskClient, path: str, content: Any, status: int
) -> None:
    response = post(client, path, content, headers={"Origin": ORIGIN})

    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize(
    ("content", "status"), [(body(), 200), (b"{", 400), (body(hookInstance=""), 400)]
)
def test_a_browser_is_answered_as_a_program_is_apart_from_cors(
    client: FlaskClient, content: Any, status: int
) -> None:
    program = post(client, VIEW, content)
    browser = post(client, VIEW, content, headers={"Origin": ORIGIN})

    assert program.status_code == browser.status_code == status
    assert program.get_json().keys() == browser.get_json().keys()
    differing = {"Access-Control-Allow-Origin", "Content-Length"}
    theirs = {name: value for name, value in browser.headers if name not in differing}
    assert {k: v for k, v in program.headers if k not in differing} == theirs


def test_another_origin_is_refused(client: FlaskClient) -> None:
    response = post(client, VIEW, body(), headers={"Origin": "https://evil.example"})

    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_pattern_is_not_an_origin(service: Make) -> None:
    client = service(cors_origins=("https://a.example",))

    response = client.get("/cds-services", headers={"Origin": "https://axexample"})

    assert "Access-Control-Allow-Origin" not in response.headers


def test_every_origin_can_be_allowed_by_setting(service: Make) -> None:
    response = service(cors_origins=("*",)).get("/cds-services", headers={"Origin": "null"})

    assert response.headers["Access-Control-Allow-Origin"] == "*"


# --- callers ----------------------------------------------------------------------------


def _clients(folder: Path) -> str:
    path = folder / "clients.json"
    entry = {"iss": "https://ehr.example", "jku": "https://ehr.example/jwks.json"}
    path.write_text(json.dumps([entry]))
    return str(path)


@pytest.mark.parametrize("authorization", [None, "Bearer x.y.z", "Basic eDp5", "Bearer"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", VIEW), ("POST", f"{SELECT}/feedback"), ("GET", f"{VIEW}/data-requirements")],
)
def test_every_unverified_caller_gets_the_same_answer(
    service: Make, tmp_path: Path, method: str, path: str, authorization: str | None
) -> None:
    client = service(trusted_clients=_clients(tmp_path))
    headers = {} if authorization is None else {"Authorization": authorization}

    # The body is not read before the caller is verified.
    response = client.open(path, method=method, data=b"{" * 100, headers=headers)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.get_json() == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "login",
                "details": {"text": "The caller could not be verified."},
            }
        ],
    }


@pytest.mark.parametrize("protected", [True, False])
def test_discovery_needs_a_token_only_if_the_setting_says_so(
    service: Make, tmp_path: Path, protected: bool
) -> None:
    client = service(trusted_clients=_clients(tmp_path), discovery_auth=protected)

    assert client.get("/cds-services").status_code == (401 if protected else 200)
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 200
    assert client.get("/openapi.json").status_code == 200


# --- faults -----------------------------------------------------------------------------


def test_an_internal_fault_is_reported_without_its_content(
    service: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service()
    parts = client.application.extensions["cds_parts"]

    def broken(*_args: object) -> None:
        raise RuntimeError("patient p1 has 3.1")

    monkeypatch.setattr(parts.answering, "answer", broken)

    response = post(client, VIEW, body())

    assert response.status_code == 500
    assert issue(response)["code"] == "exception"
    assert "p1" not in response.text
    assert "3.1" not in response.text
    shapes.check("operation-outcome", response.get_json())


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (RequestEntityTooLarge, 413, "too-costly"),
        (RequestURITooLarge, 400, "invalid"),
        (UnsupportedMediaType, 415, "not-supported"),
        (BadGateway, 500, "exception"),
    ],
)
def test_an_error_of_the_framework_is_reported_as_an_operation_outcome(
    client: FlaskClient, raised: type[HTTPException], status: int, code: str
) -> None:
    def view() -> str:
        raise raised("patient p1 has 3.1")

    client.application.add_url_rule("/raise", "raise", view)

    response = client.get("/raise")

    assert response.status_code == status
    assert issue(response)["code"] == code
    assert "p1" not in response.text


def test_cards_are_answered_while_the_database_is_down(service: Make, tmp_path: Path) -> None:
    client = service(database_url=f"sqlite:///{tmp_path}/nowhere/records.db")

    assert topics(post(client, VIEW, body())) == ["low-potassium"]
    refused = post(client, f"{VIEW}/feedback", feedback(INSTANCE))
    assert refused.status_code == 503
    assert issue(refused)["code"] == "transient"
    assert refused.headers["Retry-After"] == "1"
    assert client.get("/readyz").get_json()["status"] == "degraded"
    assert client.get("/healthz").status_code == 200


# --- feedback ---------------------------------------------------------------------------


def test_feedback_on_a_card_is_stored_and_answered_with_an_empty_object(
    client: FlaskClient,
) -> None:
    card = post(client, VIEW, body()).get_json()["cards"][0]["uuid"]

    response = post(client, f"{VIEW}/feedback", feedback(card))

    assert (response.status_code, response.get_json()) == (200, {})
    assert 'cds_feedback_total{outcome="overridden"} 1.0' in client.get("/metrics").text


def test_one_bad_element_of_feedback_refuses_all_and_names_its_place(client: FlaskClient) -> None:
    (good,) = feedback(INSTANCE)["feedback"]

    response = post(client, f"{VIEW}/feedback", {"feedback": [good, good | {"outcome": "seen"}]})

    assert response.status_code == 400
    assert issue(response)["expression"] == ["feedback[1].outcome"]
    assert "cds_feedback_total{" not in client.get("/metrics").text


def test_a_recently_answered_card_is_not_shown_if_the_site_wants_that(service: Make) -> None:
    client = service(snooze=True)
    card = post(client, VIEW, body()).get_json()["cards"][0]["uuid"]
    post(client, f"{VIEW}/feedback", feedback(card))

    again = post(client, VIEW, body())
    new_evidence = body(prefetch=prefetch(results=searchset(potassium("3.0", 2))))

    assert topics(again) == []
    assert topics(post(client, VIEW, new_evidence)) == ["low-potassium"]


def test_a_feedback_body_over_its_own_limit_is_413(service: Make) -> None:
    client = service()
    element = {"card": "x", "outcome": "overridden", "outcomeTimestamp": "2026-11-22T23:13:39Z"}
    answers = {"feedback": [element | {"userComment": "c" * 4000}] * 290}
    started = time.perf_counter()
    response = post(client, f"{VIEW}/feedback", answers)
    assert response.status_code == 413
    assert time.perf_counter() - started < 5
    assert report(client.application.extensions["cds_parts"].records.database).total == 0


@pytest.mark.parametrize("path", ["//cds-services", "/cds-services//leg-cramps-patient-view"])
def test_no_redirect_names_a_host_that_the_caller_chose(client: FlaskClient, path: str) -> None:
    answer = client.get(path, base_url="http://localhost", headers={"Host": "localhost"})
    assert answer.status_code == 404
    assert "Location" not in answer.headers
