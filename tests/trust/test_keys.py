"""Key sets: fetched from the client's own address, cached, refreshed, kept in an outage."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from token_builders import JKU, Clock, client, key_set, pair

from cds_service.trust.keys import LARGEST, KeySets, fetch_key_set, read_key_set

REMOTE = client(jku=JKU)
OLD, NEW = pair(name="old"), pair(name="new")


class Server:
    """A key server whose response the test can change; it counts the requests."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.requests = 0

    def __call__(self, url: str) -> bytes:
        assert url == JKU
        self.requests += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def kids(sets: KeySets, kid: str) -> list[str]:
    return [key.kid for key in sets.find(REMOTE, kid)]


def test_a_key_set_is_fetched_once_and_kept_for_ten_minutes() -> None:
    server, clock = Server(key_set(OLD)), Clock()
    sets = KeySets(server, clock)
    for seconds in (0, 300, 299.9):
        clock.now += seconds
        assert kids(sets, OLD.kid) == [OLD.kid]
    assert server.requests == 1

    clock.now += 0.2
    assert kids(sets, OLD.kid) == [OLD.kid]
    assert server.requests == 2


def test_a_withdrawn_key_is_rejected_after_ten_minutes() -> None:
    server, clock = Server(key_set(OLD)), Clock()
    sets = KeySets(server, clock)
    assert kids(sets, OLD.kid)

    server.answer = key_set(NEW)
    clock.now += 600

    assert kids(sets, OLD.kid) == []


def test_an_unknown_kid_triggers_a_fetch_at_most_once_a_minute() -> None:
    server, clock = Server(key_set(OLD)), Clock()
    sets = KeySets(server, clock)
    assert kids(sets, OLD.kid)

    for number in range(20):
        assert kids(sets, f"made-up-{number}") == []
    assert server.requests == 2

    server.answer = key_set(OLD, NEW)
    clock.now += 59
    assert kids(sets, NEW.kid) == []
    assert server.requests == 2

    clock.now += 1
    assert kids(sets, NEW.kid) == [NEW.kid]
    for number in range(20):
        assert kids(sets, f"made-up-{number}") == []
    assert server.requests == 3


def test_new_keys_are_found_right_after_a_call_with_the_old_ones() -> None:
    server, clock = Server(key_set(OLD)), Clock()
    sets = KeySets(server, clock)
    assert kids(sets, OLD.kid)

    server.answer = key_set(OLD, NEW)

    assert kids(sets, NEW.kid) == [NEW.kid]
    assert server.requests == 2


@pytest.mark.parametrize(
    "answer", [OSError("unavailable"), b"<html>", b'{"keys": 1}', b"[]", b"[" * 9000], ids=repr
)
def test_a_failing_server_is_asked_at_most_once_a_minute(answer: bytes | Exception) -> None:
    server, clock = Server(answer), Clock()
    sets = KeySets(server, clock)
    for _ in range(10):
        assert kids(sets, OLD.kid) == []
    assert server.requests == 1

    server.answer = key_set(OLD)
    clock.now += 60
    assert kids(sets, OLD.kid) == [OLD.kid]


@pytest.mark.parametrize(
    "answer",
    [OSError("unavailable"), b"<html>", b'{"keys": 1}'],
    ids=["unavailable", "HTML", "not a key set"],
)
def test_old_keys_are_used_while_the_server_is_unavailable_for_a_day_at_most(
    answer: bytes | Exception,
) -> None:
    server, clock = Server(key_set(OLD)), Clock()
    sets = KeySets(server, clock)
    assert kids(sets, OLD.kid)
    server.answer = answer

    clock.now += 86_399
    with capture_logs() as lines:
        assert kids(sets, OLD.kid) == [OLD.kid]
    assert [(line["event"], line["iss"]) for line in lines] == [("key_set_unavailable", REMOTE.iss)]

    clock.now += 1
    assert kids(sets, OLD.kid) == []


def test_threads_that_need_the_first_set_wait_for_one_fetch() -> None:
    everyone = threading.Barrier(8, timeout=10)
    looking: set[int] = set()
    all_looked = threading.Event()
    fetches = []

    def clock() -> float:
        # Each thread looks at the clock before it decides to wait or to fetch.
        looking.add(threading.get_ident())
        if len(looking) == 8:
            all_looked.set()
        return 0.0

    def slow(url: str) -> bytes:
        fetches.append(url)
        assert all_looked.wait(10)
        return key_set(OLD)

    sets = KeySets(slow, clock)

    def find(_: int) -> list[str]:
        everyone.wait()
        return kids(sets, OLD.kid)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(find, range(8))) == [[OLD.kid]] * 8
    assert fetches == [JKU]


def test_a_thread_with_usable_keys_does_not_wait_for_a_slow_server() -> None:
    clock = Clock()
    asking, answered = threading.Event(), threading.Event()
    calls = []

    def fetch(url: str) -> bytes:
        calls.append(url)
        if len(calls) > 1:
            asking.set()
            assert answered.wait(10)
        return key_set(OLD)

    sets = KeySets(fetch, clock)
    assert kids(sets, OLD.kid)
    clock.now += 600
    with ThreadPoolExecutor(1) as other:
        refreshing = other.submit(kids, sets, OLD.kid)
        assert asking.wait(10)
        try:
            assert kids(sets, OLD.kid) == [OLD.kid]
        finally:
            answered.set()
        assert refreshing.result(10) == [OLD.kid]
    assert len(calls) == 2


def test_two_clients_with_one_key_address_share_only_the_fetch() -> None:
    server = Server(key_set(OLD))
    sets = KeySets(server, Clock())

    assert sets.find(REMOTE, OLD.kid) == sets.find(
        client(jku=JKU, iss="https://b.example"), OLD.kid
    )
    assert server.requests == 1
    assert sets.find(client(NEW), OLD.kid) == ()


def test_unusable_keys_in_a_fetched_set_are_left_out() -> None:
    entries = [
        {"kty": "oct", "kid": "a", "k": "c2VjcmV0"},
        {**OLD.jwk, "kid": "private", "d": "AAAA"},
        {**OLD.jwk, "kid": "encryption", "use": "enc"},
        {**OLD.jwk, "kid": "signs only", "key_ops": ["sign"]},
        {**OLD.jwk, "kid": "HMAC", "alg": "HS256"},
        {**OLD.jwk, "kid": "off the curve", "x": OLD.jwk["y"]},
        {**OLD.jwk, "kid": "no point", "x": 5},
        {**OLD.jwk, "kid": ""},
        {"kty": "OKP", "kid": "b", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "RSA", "kid": "weak", "n": "w" * 100, "e": "AQAB"},
        {"kty": "RSA", "kid": "even exponent", "n": "w" * 400, "e": "AA"},
        "text",
        None,
        OLD.jwk,
    ]

    assert [key.kid for key in read_key_set(json.dumps({"keys": entries}).encode())] == [OLD.kid]


def test_a_set_with_more_than_100_keys_is_refused() -> None:
    assert len(read_key_set(key_set(*[OLD] * 100))) == 100
    with pytest.raises(ValueError, match="at most 100"):
        read_key_set(key_set(*[OLD] * 101))


# --- over HTTP, on loopback ----------------------------------------------------------------


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback: its address, and the request lines and credentials it saw."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(f"{self.path} {self.headers.get('Authorization')}")
            answer(self)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/jwks.json", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answering(
    body: bytes, status: int = 200, **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        try:
            request.wfile.write(body)
        except OSError:
            return  # the client had enough, which is what some tests are about

    return answer


def test_a_key_set_is_fetched_without_the_machines_own_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login us password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with serving(answering(key_set(OLD))) as (url, requests):
        assert fetch_key_set(url) == key_set(OLD)
    assert requests == ["/jwks.json None"]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_key_set_is_fetched_without_the_machines_own_proxies(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    with (
        serving(answering(b'{"keys": []}')) as (proxy, seen_by_proxy),
        serving(answering(key_set(OLD))) as (url, _),
    ):
        monkeypatch.setenv(variable, proxy.removesuffix("/jwks.json"))
        assert fetch_key_set(url) == key_set(OLD)
    assert seen_by_proxy == []


def test_a_redirect_is_not_followed() -> None:
    with (
        serving(answering(b"", 302, Location="/elsewhere")) as (url, requests),
        pytest.raises(OSError, match="answered 302"),
    ):
        fetch_key_set(url)
    assert requests == ["/jwks.json None"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (answering(b"", 500), "answered 500"),
        (answering(b"", 204), "answered 204"),
        (answering(b" " * (LARGEST + 1)), "larger than"),
        (answering(b"\x1f\x8b", Content_Encoding="gzip"), "compressed"),
        (answering(b"{", Content_Length="100"), "is incomplete"),
    ],
    ids=["an error", "no content", "a huge body", "compressed", "a body that breaks off"],
)
def test_an_answer_that_is_not_a_plain_key_set_is_an_error(
    answer: Callable[[BaseHTTPRequestHandler], None], reason: str
) -> None:
    with serving(answer) as (url, _), pytest.raises(OSError, match=reason):
        fetch_key_set(url)


@pytest.mark.parametrize("part", ["headers", "body", "body of a known length"])
def test_a_response_that_trickles_in_is_abandoned_at_the_deadline(part: str) -> None:
    given_up = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        if part == "headers":
            request.flush_headers()
        else:
            if part == "body of a known length":
                request.send_header("Content-Length", "1000")
            request.end_headers()
        with suppress(OSError):  # the client had enough
            for _ in range(300):
                if given_up.wait(0.01):
                    return
                request.wfile.write(b" " if part != "headers" else b"-")

    with serving(trickle) as (url, _), pytest.raises(OSError, match=r"longer than 0\.2 s"):
        try:
            fetch_key_set(url, deadline=0.2)
        finally:
            given_up.set()


def test_the_key_sets_survive_an_unreachable_server() -> None:
    with serving(answering(b"")) as (url, _):
        pass

    assert KeySets().find(client(jku=url), OLD.kid) == ()
