"""Whatever a client sends, the response is one that the OpenAPI document describes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.calls import shapes
from tests.api.minimal_service import (
    SELECT,
    VIEW,
    body,
    draft,
    minimal_app,
    order_body,
    post,
    prefetch,
)
from tests.testing.strategies import JSON, RESOURCE, VALUE
from tests.testing.thorough import examples

QUIET = settings(
    max_examples=examples(40),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    application = minimal_app(Path(tmp_path_factory.mktemp("fuzz")))
    yield application
    assert "cds_rule_failures_total{" not in application.test_client().get("/metrics").text
    application.extensions["cds_parts"].records.close()


@pytest.fixture
def api(app: Flask) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library and what it imports
        import schemathesis
    return schemathesis.openapi.from_wsgi("/openapi.json", app)


def checks() -> list[Callable[..., Any]]:
    """What each response must satisfy."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    return [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]


@pytest.mark.parametrize("path", [VIEW, SELECT, f"{VIEW}/feedback", "/cds-services", "/readyz"])
def test_generated_requests_get_answers_that_match_the_openapi_document(
    api: Any, path: str
) -> None:
    (method,) = api[path]
    required = checks()

    @given(api[path][method].as_strategy())
    @QUIET
    def holds(case: Any) -> None:
        case.call_and_validate(checks=required)

    holds()


@given(st.dictionaries(st.sampled_from([*prefetch(), "encounter", "other"]), VALUE, max_size=8))
@settings(QUIET, max_examples=examples(80))
def test_any_prefetch_is_answered_with_cards_or_412(app: Flask, values: dict[str, Any]) -> None:
    response = post(app.test_client(), VIEW, body(prefetch=values))

    assert response.status_code in (200, 412)
    shape = "response" if response.status_code == 200 else "operation-outcome"
    shapes.check(shape, response.get_json())


@given(JSON | RESOURCE, st.lists(st.text(max_size=30), max_size=3))
@settings(QUIET, max_examples=examples(80))
def test_any_draft_is_answered_with_cards_or_412(
    app: Flask, drafted: Any, selections: list[str]
) -> None:
    call = order_body(draft("Quinine"), selections=["X/r1", "MedicationRequest/r1", *selections])
    call["context"]["draftOrders"]["entry"] = [{"resource": drafted}, drafted]

    response = post(app.test_client(), SELECT, call)

    assert response.status_code in (200, 412)


@given(st.binary(max_size=200))
@settings(QUIET, max_examples=examples(80))
def test_any_bytes_get_an_answer(app: Flask, content: bytes) -> None:
    for path in (VIEW, f"{VIEW}/feedback"):
        response = post(app.test_client(), path, content)
        assert response.status_code == 400
        shapes.check("operation-outcome", response.get_json())
