"""The front of the server alone: bodies, limits, deadlines and refusals, without a network."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from cds_service.errors import Unauthorized
from cds_service.ops import memory
from cds_service.serving.admission import Admission, AdmissionLimits
from cds_service.serving.front import Front

CALL = "/cds-services/leg-cramps-patient-view"
PATIENCE_S = 10


class Exchange:
    """One request as granian passes it on, and the response it gets."""

    def __init__(
        self, *parts: bytes | float, method: str = "POST", path: str = CALL,
        announced: int | None = None, client: str = "192.0.2.1:1", **headers: str,
    ) -> None:  # fmt: skip
        self._parts = parts
        self.read = 0
        self.status = 0
        self.headers: dict[str, str] = {}
        self.content = b""
        named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        if announced is not None:
            named["content-length"] = str(announced)
        else:
            named["transfer-encoding"] = "chunked"
        self.scope = SimpleNamespace(
            method=method, path=path, query_string="", server="127.0.0.1:8000", client=client,
            scheme="http", http_version="1.1", headers=named,
        )  # fmt: skip

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            if isinstance(part, bytes):
                self.read += len(part)
                yield part
            else:
                await asyncio.sleep(part)

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        assert not self.status, "answered twice"
        self.status, self.headers, self.content = status, dict(headers), body


def echo(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start("200 OK", [("content-type", "text/plain")])
    return [str(len(body)).encode()]


def ask(front: Front, *exchanges: Exchange) -> None:
    async def run() -> None:
        front.__rsgi_init__(asyncio.get_running_loop())
        await asyncio.wait_for(
            asyncio.gather(*(front.__rsgi__(exchange.scope, exchange) for exchange in exchanges)),
            PATIENCE_S,
        )

    asyncio.run(run())


def refused(exchange: Exchange) -> str:
    outcome = json.loads(exchange.content)
    assert outcome["resourceType"] == "OperationOutcome"
    return str(outcome["issue"][0]["code"])


QUICK = AdmissionLimits(calls_per_client=2, bytes_per_client=100, calls=3, bytes=150, body_s=0.4,
               patience_s=0.2, stranger_bytes=10)  # fmt: skip


def test_a_complete_body_reaches_the_application() -> None:
    front = Front(echo, Admission(), 1000)
    known, chunked = Exchange(b"abc", b"de", announced=5), Exchange(b"abc", b"defg")
    ask(front, known, chunked)

    assert (known.status, known.content) == (200, b"5")
    assert (chunked.status, chunked.content) == (200, b"7")


def test_a_length_over_the_limit_is_refused_before_anything_is_read() -> None:
    exchange = Exchange(*[b"x" * 10] * 3, announced=256_000_000)
    ask(Front(echo, Admission(), 1000), exchange)

    assert (exchange.status, refused(exchange)) == (413, "too-costly")
    assert exchange.read == 30  # afterwards, so that the sender reads the response


def test_a_chunked_body_is_cut_off_at_the_limit() -> None:
    admission = Admission()
    exchange = Exchange(*[b"x" * 400] * 5)
    ask(Front(echo, admission, 1000), exchange)

    assert (exchange.status, refused(exchange)) == (413, "too-costly")
    assert (admission.calls, admission.bytes) == (0, 0)


@pytest.mark.parametrize(
    "parts",
    [(b"x", 5.0, b"x"), (*[b"x", 0.05] * 100,), (5.0,)],
    ids=["stops", "trickles", "nothing"],
)
def test_a_body_that_does_not_arrive_is_408(parts: tuple[bytes | float, ...]) -> None:
    refusals: list[str] = []
    admission = Admission(QUICK, refusals.append)
    exchange = Exchange(*parts, announced=90)
    ask(Front(echo, admission, 1000), exchange)

    assert (exchange.status, refused(exchange)) == (408, "timeout")
    assert (refusals, admission.calls, admission.bytes) == (["slow-body"], 0, 0)


def test_the_time_to_read_very_many_chunks_does_not_count_against_the_client() -> None:
    admission = Admission()
    small = 1_000_000 // 7

    assert admission.time_for(0) == 2
    assert admission.time_for(1_000_000, 16) == pytest.approx(10, abs=0.01)
    assert admission.time_for(1_000_000, small // 10) == pytest.approx(10 + small // 10 * 0.0003)
    assert admission.time_for(1_000_000, small) == 30
    assert admission.time_for(30_000_000, 30_000_000) == 30
    assert admission.time_for(20, 20) < 2.01  # sending slowly, byte by byte, gains nothing


def test_bytes_in_flight_are_counted_by_the_announced_length() -> None:
    refusals: list[str] = []
    admission = Admission(replace(QUICK, body_s=30, patience_s=30), refusals.append)
    front = Front(echo, admission, 1000)
    first = Exchange(0.1, b"x" * 80, announced=80)
    same = Exchange(b"x" * 30, announced=30)
    other = Exchange(b"x" * 80, announced=80, client="192.0.2.2:1")
    small = Exchange(b"x" * 60, announced=60, client="192.0.2.3:1")
    ask(front, first, same, other, small)

    assert (first.status, same.status, other.status) == (200, 429, 503)
    assert same.headers["retry-after"]
    assert other.headers["retry-after"]
    assert (refused(same), refused(other)) == ("throttled", "transient")
    assert small.status == 200
    assert refusals == ["client-bytes", "bytes"]
    assert (admission.calls, admission.bytes) == (0, 0)


def test_calls_are_limited_per_client_and_in_total() -> None:
    import threading

    go_on = threading.Event()

    def waits(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        go_on.wait(PATIENCE_S)
        return echo(environ, start)

    admission = Admission(QUICK)
    front = Front(waits, admission, 1000)
    calls = [Exchange(b"x", announced=1, client=f"{name}:1") for name in "aaabcc"]

    async def run() -> None:
        front.__rsgi_init__(asyncio.get_running_loop())
        tasks = [asyncio.ensure_future(front.__rsgi__(call.scope, call)) for call in calls]
        await asyncio.sleep(0.1)
        go_on.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())

    assert [call.status for call in calls] == [200, 200, 429, 200, 503, 503]
    assert (admission.calls, admission.bytes) == (0, 0)


def test_the_body_of_an_unauthenticated_caller_is_not_read() -> None:
    def nobody(_authorization: str | None, _path: str) -> object:
        raise Unauthorized("no")

    exchange = Exchange(*[b"x" * 8] * 100, announced=800)
    admission = Admission(QUICK)
    ask(Front(echo, admission, 1000, nobody), exchange)

    assert (exchange.status, refused(exchange)) == (401, "login")
    assert exchange.headers["www-authenticate"] == "Bearer"
    assert exchange.read <= QUICK.stranger_bytes + 8


def test_calls_of_an_authenticated_caller_are_counted_by_issuer() -> None:
    def known(authorization: str | None, _path: str) -> object:
        return SimpleNamespace(iss=authorization)

    issuers: list[str] = []

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        issuers.append(environ["cds.admitted"].iss)
        return echo(environ, start)

    ask(Front(application, Admission(), 1000, known),
        Exchange(b"x", announced=1, authorization="a"))  # fmt: skip

    assert issuers == ["a"]


def test_a_client_that_waits_for_100_continue_is_refused_without_reading() -> None:
    exchange = Exchange(b"x" * 50, announced=9_000_000, expect="100-continue")
    ask(Front(echo, Admission(), 1000), exchange)

    assert (exchange.status, exchange.read) == (413, 0)


@pytest.mark.parametrize(("size", "times"), [(memory.LARGE_BODY, 1), (1000, 0)])
def test_memory_is_returned_after_a_large_body(
    monkeypatch: pytest.MonkeyPatch, size: int, times: int
) -> None:
    trims: list[bool] = []
    monkeypatch.setattr("cds_service.serving.front.give_back_soon", lambda: trims.append(True))
    ask(Front(echo, Admission(), 5_000_000), Exchange(b"x" * size, announced=size))

    assert len(trims) == times


def test_memory_is_returned_once_for_all_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(memory, "_SOON_S", 0.05)
    monkeypatch.setattr(
        memory.ctypes, "CDLL", lambda _name: SimpleNamespace(malloc_trim=trimmed.append)
    )

    for _ in range(2):
        for _ in range(5):
            memory.give_back_soon()
        time.sleep(0.3)

    assert trimmed == [0, 0]


def test_an_application_that_fails_frees_its_slot() -> None:
    def broken(_environ: dict[str, Any], _start: Any) -> Iterable[bytes]:
        raise ValueError("no")

    admission = Admission()
    with pytest.raises(ValueError, match="no"):
        ask(Front(broken, admission, 1000), Exchange(b"x", announced=1))

    assert (admission.calls, admission.bytes) == (0, 0)


@pytest.mark.parametrize("announced", [1001, 10**15, 10**18])
def test_an_announced_length_over_the_limit_is_413_immediately(announced: int) -> None:
    exchange = Exchange(b"x", announced=announced)
    ask(Front(echo, Admission(), 1000), exchange)
    assert exchange.status == 413


@pytest.mark.parametrize("announced", [500, None], ids=["announced", "chunked"])
@pytest.mark.parametrize("path", ["/", "/demo/answer", "//cds-services/x", "/cds-services"])
def test_bodies_sent_elsewhere_by_unauthenticated_callers_are_read_only_to_their_limit(
    path: str, announced: int | None
) -> None:
    def nobody(_header: str | None, _path: str) -> Any:
        raise Unauthorized("nobody")

    exchange = Exchange(b"x" * 100, b"x" * 100, b"x" * 300, path=path, announced=announced)
    ask(Front(echo, Admission(), 1000, nobody, 150), exchange)
    assert exchange.status == 413


def test_very_many_page_requests_do_not_occupy_the_threads_for_calls() -> None:
    """Requests without a body queue only behind each other; too many of them get a 503."""
    gate = threading.Event()

    def application(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET":
            gate.wait(PATIENCE_S)
        return echo(environ, start)

    front = Front(application, Admission(), 1000)
    pages = [Exchange(method="GET", path="/cds-services", announced=0) for _ in range(400)]
    call = Exchange(b"x" * 10, announced=10)

    async def run() -> None:
        front.__rsgi_init__(asyncio.get_running_loop())
        page_tasks = [asyncio.ensure_future(front.__rsgi__(page.scope, page)) for page in pages]
        await asyncio.sleep(0.05)
        await asyncio.wait_for(front.__rsgi__(call.scope, call), PATIENCE_S)
        assert call.status == 200
        gate.set()
        await asyncio.wait_for(asyncio.gather(*page_tasks), PATIENCE_S)

    asyncio.run(run())
    statuses = [page.status for page in pages]
    assert statuses.count(503) == 400 - 256
    assert statuses.count(200) == 256


def test_slow_unauthenticated_callers_do_not_delay_answers_to_others() -> None:
    def known(header: str | None, _path: str) -> Any:
        if header is None:
            raise Unauthorized("nobody")
        return SimpleNamespace(iss="https://ehr.example")

    front = Front(echo, Admission(), 1000, known)
    strangers = [Exchange(b"x", 5.0, announced=900) for _ in range(60)]
    caller = Exchange(*[b"x" * 500] * 10, announced=5000, authorization="Bearer x")

    async def run() -> None:
        front.__rsgi_init__(asyncio.get_running_loop())
        stranger_tasks = [
            asyncio.ensure_future(front.__rsgi__(stranger.scope, stranger))
            for stranger in strangers
        ]
        await asyncio.sleep(0.3)
        await asyncio.wait_for(front.__rsgi__(caller.scope, caller), PATIENCE_S)
        for task in stranger_tasks:
            task.cancel()

    asyncio.run(run())
    assert caller.status == 413
    assert caller.read == 5000  # a client that sends before it reads is read to the end
    assert {stranger.status for stranger in strangers} == {401}
