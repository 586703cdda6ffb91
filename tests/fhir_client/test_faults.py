"""Each way a FHIR server can fail, and how it is reported. Nothing raises, nothing hangs."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from cds_service.calls.envelope import Authorization
from cds_service.sources.fetch.client import Access, Caps, FetchedData, fetch_missing
from tests.fhir_client.loopback import (
    FOREVER,
    HANG_UP,
    RESET,
    Loopback,
    Request,
    Step,
    bundle,
    reply,
)
from tests.testing import fhir

TOKEN = "s3cr3t-t0ken"
OUTCOME = fhir.outcome("error", "login")
SMALL = Caps(pages=4, entries=50, bytes=200_000)


def fetch_one(
    url: str, query: str = "Condition?patient=1", *, deadline_s: float = 20, caps: Caps = SMALL
) -> FetchedData:
    access = Access(url, Authorization(TOKEN, "patient/*.read", "1"))
    return fetch_missing({"key": query}, access, "1", deadline_s=deadline_s, caps=caps)["key"]


def fetch_from(answer: Callable[[Request], Iterable[Step]], **options: Any) -> FetchedData:
    with Loopback(answer) as server:
        return fetch_one(server.url, **options)


def test_a_bundle_is_returned_as_it_was_sent() -> None:
    body = json.dumps(bundle("a", "b")).encode()
    fetched = fetch_from(lambda _: [reply(body)])
    assert (fetched.state, fetched.pages, fetched.reason, fetched.status) == (
        "given",
        (body,),
        "",
        200,
    )


def test_a_compressed_bundle_is_decompressed() -> None:
    body = json.dumps(bundle("a", "b")).encode()
    fetched = fetch_from(lambda _: [reply(gzip.compress(body), content_encoding="gzip")])
    assert (fetched.state, fetched.pages) == ("given", (body,))


def test_a_chunked_bundle_is_returned_complete() -> None:
    body = json.dumps(bundle("a")).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    fetched = fetch_from(lambda _: [head, chunks, b"0\r\n\r\n"])
    assert (fetched.state, fetched.pages) == ("given", (body,))


def test_a_bundle_without_entries_is_returned_empty() -> None:
    body = b'{"resourceType": "Bundle", "type": "searchset", "total": 0}'
    assert fetch_from(lambda _: [reply(body)]).pages == (body,)


def test_a_resource_read_by_its_id_is_returned() -> None:
    fetched = fetch_from(lambda _: [reply(fhir.patient("1"))], query="Patient/1")
    assert (fetched.state, len(fetched.pages)) == ("given", 1)


REFUSALS = [
    (200, b"<html><body>Sign in</body></html>", "the answer to Condition is not complete JSON"),
    (200, b'{"resourceType": "Bundle", "entry": [', "the answer to Condition is not complete JSON"),
    (200, b"", "the answer to Condition is not complete JSON"),
    (200, b"[" * 100_000, "the answer to Condition is not a FHIR resource"),
    (
        200,
        b'{"resourceType":"Bundle","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "the answer to Condition is not complete JSON",
    ),
    (200, b'{"error": "quota"}', "the answer to Condition is not a FHIR resource"),
    (200, b"[]", "the answer to Condition is not a FHIR resource"),
    (
        200,
        json.dumps(OUTCOME).encode(),
        "the FHIR server answered Condition with an error (OperationOutcome)",
    ),
    (204, b"", "the FHIR server answered 204 to Condition"),
    (401, json.dumps(OUTCOME).encode(), "the FHIR server answered 401 to Condition"),
    (403, b"", "the FHIR server answered 403 to Condition"),
    (404, b"", "the FHIR server answered 404 to Condition"),
    (410, b"", "the FHIR server answered 410 to Condition"),
    (429, b"", "the FHIR server answered 429 to Condition"),
    (500, b"java.lang.NullPointerException", "the FHIR server answered 500 to Condition"),
]
NAMES = [
    "a page of HTML",
    "truncated JSON",
    "an empty body",
    "an array without end",
    "JSON nested too deep",
    "an object that is not a resource",
    "an empty array",
    "an OperationOutcome with status 200",
    *(str(status) for status, _, _ in REFUSALS[8:]),
]


@pytest.mark.parametrize(("status", "body", "reason"), REFUSALS, ids=NAMES)
def test_a_response_without_data_is_unavailable_and_requested_once(
    status: int, body: bytes, reason: str
) -> None:
    with Loopback(lambda _: [reply(body, status)]) as server:
        fetched = fetch_one(server.url)
        assert len(server.requests) == 1
    assert fetched == FetchedData("unavailable", (), reason, status, fetched.milliseconds)


def test_a_patient_that_the_server_does_not_know_is_unavailable() -> None:
    fetched = fetch_from(lambda _: [reply(OUTCOME, 404)], query="Patient/1")
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the FHIR server answered 404 to Patient",
    )


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_error_is_retried_once(status: int) -> None:
    def answer(request: Request) -> list[Step]:
        return [reply(bundle("a"))] if request.number > 1 else [reply(b"", status)]

    with Loopback(answer) as server:
        fetched = fetch_one(server.url)
        assert len(server.requests) == 2
    assert (fetched.state, fetched.status) == ("given", 200)


def test_a_second_gateway_error_is_final() -> None:
    with Loopback(lambda _: [reply(b"", 503)]) as server:
        fetched = fetch_one(server.url)
        assert len(server.requests) == 2
    assert fetched.reason == "the FHIR server answered 503 to Condition"


def test_all_pages_share_one_retry() -> None:
    def answer(request: Request) -> list[Step]:
        if request.number in {1, 3}:
            return [reply(b"", 503)]
        return [reply(bundle("a", following="?page=2"))]

    with Loopback(answer) as server:
        fetched = fetch_one(server.url)
        assert len(server.requests) == 3
    assert (fetched.state, len(fetched.pages)) == ("partial", 1)


def test_no_retry_if_the_server_asks_for_more_time_than_is_left() -> None:
    with Loopback(lambda _: [reply(b"", 503, retry_after="120")]) as server:
        fetched = fetch_one(server.url)
        assert len(server.requests) == 1
    assert fetched.status == 503


BROKEN: dict[str, list[Step]] = {
    "hangs up without a word": [HANG_UP],
    "resets the connection": [RESET],
    "hangs up in the first line": [b"HTTP/1", HANG_UP],
    "speaks another protocol": [b"SSH-2.0-OpenSSH_9.2\r\n", HANG_UP],
    "announces more than it sends": [reply(bundle("a"), content_length="9999"), HANG_UP],
    "resets inside the body": [reply(bundle("a"), content_length="9999"), RESET],
    "calls plain text compressed": [reply(b'{"resourceType":"B"}', content_encoding="gzip")],
    "ends a chunked body early": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
        HANG_UP,
    ],
}


@pytest.mark.parametrize("steps", BROKEN.values(), ids=BROKEN)
def test_a_server_that_cuts_the_connection_is_unavailable(steps: list[Step]) -> None:
    fetched = fetch_from(lambda _: steps)
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the connection to the FHIR server broke before Condition was answered",
    )


def test_a_body_longer_than_announced_is_not_taken_for_complete() -> None:
    body = json.dumps(bundle("a")).encode()
    fetched = fetch_from(lambda _: [reply(body, content_length=str(len(body) - 5)), HANG_UP])
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the answer to Condition is not complete JSON",
    )


def test_truncated_headers_are_not_taken_for_a_response() -> None:
    fetched = fetch_from(lambda _: [b"HTTP/1.1 200 OK\r\nContent-Le", HANG_UP])
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the answer to Condition is not complete JSON",
    )


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    fetched = fetch_one(f"http://127.0.0.1:{port}/fhir")
    assert (fetched.state, fetched.status) == ("unavailable", None)
    assert "broke" in fetched.reason


def trickle(piece: bytes, times: int = 3000) -> list[Step]:
    """Sends a little from time to time and never finishes."""
    steps: list[Step] = []
    for _ in range(times):
        steps += [piece, 0.02]
    return steps


SLOW: dict[str, list[Step]] = {
    "never answers": [FOREVER],
    "stops inside the headers": [b"HTTP/1.1 200 OK\r\nX-", FOREVER],
    "stops inside the body": [reply(bundle("a"), content_length="9999"), FOREVER],
    "trickles its headers": [b"HTTP/1.1 200 OK\r\nX-Slow: ", *trickle(b"x")],
    "trickles header after header": [
        b"HTTP/1.1 200 OK\r\n",
        *trickle(b"X-Slow: x\r\n", 90),
        FOREVER,
    ],
    "trickles its body": [reply(b"{", content_length="99999"), *trickle(b" ")],
    "trickles chunks": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        *trickle(b"1\r\n \r\n"),
    ],
    "trickles an empty compressed body": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 99999\r\n\r\n",
        *trickle(gzip.compress(b"")),
    ],
    "says continue without end": trickle(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("steps", SLOW.values(), ids=SLOW)
def test_a_slow_server_is_abandoned_at_the_deadline(steps: list[Step]) -> None:
    with Loopback(lambda _: steps) as server:
        started = time.monotonic()
        fetched = fetch_one(server.url, deadline_s=0.3)
        elapsed = time.monotonic() - started
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the FHIR server gave no full answer to Condition within 0.3 s",
    )
    assert (
        elapsed < 2.5
    )  # the deadline, and what a busy machine takes; the server goes on for longer


@pytest.mark.parametrize("steps", [[FOREVER], trickle(b"H")], ids=["silent", "trickling"])
def test_pages_that_came_before_the_deadline_are_kept_as_partial(steps: list[Step]) -> None:
    def answer(request: Request) -> list[Step]:
        return [reply(bundle("a", following="?page=2"))] if request.number == 1 else steps

    fetched = fetch_from(answer, deadline_s=0.4)
    assert (fetched.state, len(fetched.pages)) == ("partial", 1)
    assert fetched.reason == (
        "only 1 page of Condition could be read: "
        "the FHIR server gave no full answer to Condition within 0.4 s"
    )


HUGE = b'{"resourceType": "Bundle", "x": "' + b"x" * 300_000 + b'"}'
TOO_LARGE: dict[str, list[Step]] = {
    "announced": [reply(b"{", content_length="99999999"), FOREVER],
    "not announced": [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + HUGE, FOREVER],
    "sent whole": [reply(HUGE)],
    "a gzip bomb": [reply(gzip.compress(b"0" * 20_000_000, 1), content_encoding="gzip")],
}


@pytest.mark.parametrize("steps", TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_answer_larger_than_the_cap_is_unavailable(steps: list[Step]) -> None:
    fetched = fetch_from(lambda _: steps)
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the answer to Condition is larger than 0.2 MB",
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_its_target_never_contacted(status: int) -> None:
    with Loopback(lambda _: [reply(bundle("a"))]) as elsewhere:
        with Loopback(lambda _: [reply(b"", status, location=elsewhere.url)]) as server:
            fetched = fetch_one(server.url)
        assert elsewhere.requests == []
        assert elsewhere.connections == 0
    assert fetched.reason == (
        f"the FHIR server answered {status} to Condition: redirects are not followed"
    )


def test_the_body_of_a_redirect_is_not_waited_for() -> None:
    steps: list[Step] = [reply(b"", 302, location="/fhir", content_length="9999"), FOREVER]
    assert fetch_from(lambda _: steps).status == 302
