"""Which requests go to which server with which token: parallel, one deadline, no trace left."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from pathlib import Path

import pytest

from cds_service.calls.envelope import Authorization
from cds_service.outbound.servers import FAILURES, Servers
from cds_service.outbound.transport import MOST_THREADS, ByteBudget, Workers
from cds_service.sources.fetch.client import Access, FetchedData, fetch_missing
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

TOKEN = "s3cr3t-t0ken"
KEYS = {f"key-{n}": f"Condition?patient=p-77&code={n}" for n in range(7)}
KEYS_OF_ONE = {"problems": "Condition?patient=p-77"}


def access_to(
    url: str,
    token: str = TOKEN,
    scope: str = "patient/*.read",
    patient: str | None = "p-77",
) -> Access:
    return Access(url, Authorization(token, scope, patient))


def test_the_request_has_the_token_the_accept_header_and_the_query_as_written() -> None:
    query = "Observation?patient=p-77&code=http://loinc.org|2823-3,http://loinc.org|2601-3"
    with Loopback(lambda _: [reply(bundle())]) as server:
        fetch_missing({"potassium": query}, access_to(f"{server.url}/"), "p-77", deadline_s=20)
        (request,) = server.requests
    assert request.target == f"/fhir/{query}".replace("|", "%7C")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept"] == "application/fhir+json, application/json;q=0.9"
    assert "cookie" not in request.headers


def test_without_a_token_no_credentials_are_sent_not_even_from_netrc_or_to_a_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    with Loopback(lambda _: [reply(bundle())]) as server:
        access = Access(server.url, None)
        (fetched,) = fetch_missing(KEYS_OF_ONE, access, "p-77", deadline_s=20).values()
        assert "authorization" not in server.requests[0].headers
    assert fetched.state == "given"


def test_cookies_of_one_call_are_not_sent_with_the_next() -> None:
    with Loopback(lambda _: [reply(bundle(), set_cookie="session=of-another; Path=/")]) as server:
        for _ in range(2):
            fetch_missing(KEYS_OF_ONE, access_to(server.url), "p-77", deadline_s=20)
        assert [request.headers.get("cookie") for request in server.requests] == [None, None]


def test_connections_are_kept_for_the_next_call() -> None:
    with Loopback(lambda _: [reply(bundle())]) as server:
        for _ in range(5):
            fetch_missing(KEYS_OF_ONE, access_to(server.url), "p-77", deadline_s=20)
        assert server.connections == 1


def test_a_connection_that_the_server_has_closed_is_reopened() -> None:
    with Loopback(lambda _: [reply(bundle()), HANG_UP]) as server:
        for expected in (1, 2, 3):
            (fetched,) = fetch_missing(
                KEYS_OF_ONE, access_to(server.url), "p-77", deadline_s=20
            ).values()
            assert fetched.state == "given"
            assert server.connections == expected


@pytest.mark.parametrize("ending", [HANG_UP, RESET])
def test_a_connection_that_closes_when_it_is_reused_is_reopened(ending: str) -> None:
    def answer(request: Request) -> list[Step]:
        return [ending] if request.number == 2 else [reply(bundle("a"))]

    with Loopback(answer) as server:
        for _ in range(2):
            (fetched,) = fetch_missing(
                KEYS_OF_ONE, access_to(server.url), "p-77", deadline_s=20
            ).values()
            assert (fetched.state, fetched.reason) == ("given", "")
    assert [request.connection for request in server.requests] == [1, 1, 2]


@pytest.mark.parametrize("ending", [HANG_UP, RESET])
def test_a_server_that_hangs_up_twice_is_not_asked_a_third_time(ending: str) -> None:
    with Loopback(lambda _: [ending]) as server:
        (fetched,) = fetch_missing(
            KEYS_OF_ONE, access_to(server.url), "p-77", deadline_s=20
        ).values()
    assert len(server.requests) == 2
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the connection to the FHIR server broke before Condition was answered",
    )


def test_all_keys_together_take_the_time_of_one() -> None:
    with Loopback(lambda _: [0.1, reply(bundle())]) as server:
        started = time.monotonic()
        together = fetch_missing(KEYS, access_to(server.url), "p-77", deadline_s=20)
        side_by_side = time.monotonic() - started
        started = time.monotonic()
        for key, query in KEYS.items():
            fetch_missing({key: query}, access_to(server.url), "p-77", deadline_s=20)
        one_by_one = time.monotonic() - started
    assert {fetched.state for fetched in together.values()} == {"given"}
    assert side_by_side < one_by_one / 3


def test_responses_are_returned_by_key_in_the_order_requested() -> None:
    def answer(request: Request) -> list[Step]:
        number = int(request.target[-1])
        return [(7 - number) / 100, reply(bundle(f"condition-{number}"))]

    with Loopback(answer) as server:
        answers = fetch_missing(KEYS, access_to(server.url), "p-77", deadline_s=20)
    assert list(answers) == list(KEYS)
    for number, fetched in enumerate(answers.values()):
        assert f'"condition-{number}"'.encode() in fetched.pages[0]


def test_one_slow_key_does_not_affect_the_others() -> None:
    def answer(request: Request) -> list[Step]:
        return [FOREVER] if request.target.endswith("3") else [reply(bundle())]

    with Loopback(answer) as server:
        answers = fetch_missing(KEYS, access_to(server.url), "p-77", deadline_s=0.5)
    states = {key: fetched.state for key, fetched in answers.items()}
    assert states == dict.fromkeys(KEYS, "given") | {"key-3": "unavailable"}


SILENT: list[Step] = [FOREVER]
TRICKLING: list[Step] = [b"HTTP/1.1 200 OK\r\nX-Slow: ", *[b"x", 0.05] * 1000]


@pytest.mark.parametrize("steps", [SILENT, TRICKLING], ids=["silent", "trickling"])
def test_a_server_that_hangs_keeps_no_threads_and_does_not_block_the_next(
    steps: list[Step],
) -> None:
    many = {f"key-{n}": f"Condition?code={n}" for n in range(MOST_THREADS + 8)}
    servers = Servers()
    with (
        Loopback(lambda _: steps) as hanging,
        Loopback(lambda _: [reply(bundle())]) as server,
    ):
        for _ in range(3):
            answers = fetch_missing(
                many, access_to(hanging.url), "p-77", deadline_s=0.3, servers=servers
            )
            assert {fetched.state for fetched in answers.values()} == {"unavailable"}
            reasons = [fetched.reason for fetched in answers.values()]
            assert reasons.count("too many other FHIR queries were in progress") >= 8
        # The first server still holds its connections; nothing waits for them.
        answers = fetch_missing(KEYS, access_to(server.url), "p-77", deadline_s=10, servers=servers)
        assert {fetched.state for fetched in answers.values()} == {"given"}
    threads = [thread for thread in threading.enumerate() if thread.name == "fhir"]
    assert all(thread.daemon for thread in threads)


def test_calls_to_another_server_do_not_wait_for_one_that_hangs() -> None:
    servers = Servers()
    many = {f"key-{n}": f"Condition?code={n}" for n in range(MOST_THREADS + 8)}
    with (
        Loopback(lambda _: [FOREVER]) as hanging,
        Loopback(lambda _: [reply(bundle())]) as server,
    ):
        stuck = threading.Thread(
            target=fetch_missing,
            args=(many, access_to(hanging.url), "p-77"),
            kwargs={"deadline_s": 3, "servers": servers},
        )
        stuck.start()
        time.sleep(0.3)
        started = time.monotonic()
        answers = fetch_missing(KEYS, access_to(server.url), "p-77", deadline_s=3, servers=servers)
        assert time.monotonic() - started < 2.5
        assert {fetched.state for fetched in answers.values()} == {"given"}
        stuck.join()


@pytest.mark.parametrize(
    "steps",
    [SILENT, TRICKLING, [HANG_UP], [reply(b"", 500)], [reply(b"", 503)]],
    ids=["silent", "trickling", "hangs up", "500", "503"],
)
def test_a_server_that_does_not_respond_is_skipped_and_used_again_when_it_is_back(
    steps: list[Step],
) -> None:
    states: list[str] = []
    servers = Servers(lambda _server, state: states.append(state))
    served = [steps]

    def ask(deadline_s: float) -> str:
        access = access_to(server.url)
        (fetched,) = fetch_missing(
            KEYS_OF_ONE, access, "p-77", deadline_s=deadline_s, servers=servers
        ).values()
        return fetched.reason or fetched.state

    with Loopback(lambda _: served[0]) as server:
        for _ in range(FAILURES):
            assert "not responded recently" not in ask(0.3)
        before = len(server.requests)
        started = time.monotonic()
        assert "not responded recently" in ask(5)
        assert time.monotonic() - started < 2
        assert len(server.requests) == before
        served[0] = [reply(bundle())]
        time.sleep(1.1)
        assert ask(5) == "given"
        assert ask(5) == "given"
    assert states == ["open", "half-open", "closed"]


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_a_server_that_refuses_counts_as_responding(status: int) -> None:
    servers = Servers()
    with Loopback(lambda _: [reply(b"", status)]) as server:
        for _ in range(FAILURES + 2):
            (fetched,) = fetch_missing(
                KEYS_OF_ONE, access_to(server.url), "p-77", deadline_s=5, servers=servers
            ).values()
            assert str(status) in fetched.reason


def test_no_time_left_is_reported_and_the_server_is_not_asked() -> None:
    with Loopback(lambda _: [reply(bundle())]) as server:
        (fetched,) = fetch_missing(
            KEYS_OF_ONE, access_to(server.url), "p-77", deadline_s=0
        ).values()
        assert fetched.reason == "no time was left to ask the FHIR server"
        assert server.connections == 0


def test_concurrent_fetches_are_bounded_and_their_slots_returned() -> None:
    servers = Servers()
    servers.budget = ByteBudget(200_000)
    large = reply(bundle(*(f"c{n}" for n in range(800))))
    with Loopback(lambda _: [large]) as server:

        def fetch() -> dict[str, FetchedData]:
            return fetch_missing(
                KEYS, access_to(server.url), "p-77", deadline_s=20, servers=servers
            )

        first = fetch()
        states = [fetched.state for fetched in first.values()]
        assert "given" in states
        assert "unavailable" in states
        assert any("no memory" in fetched.reason for fetched in first.values())
        assert not servers.budget.take(150_000)
        del first
        again = fetch()
        assert any(fetched.state == "given" for fetched in again.values())


def test_without_keys_no_request_is_sent() -> None:
    with Loopback(lambda _: [reply(bundle())]) as server:
        assert fetch_missing({}, access_to(server.url), "p-77", deadline_s=20) == {}
        assert server.connections == 0


def refused(access: Access, queries: dict[str, str] = KEYS_OF_ONE) -> set[str]:
    answers = fetch_missing(queries, access, "p-77", deadline_s=20)
    assert set(answers) == set(queries)
    assert all(
        answer == FetchedData("unavailable", (), answer.reason, None, 0)
        for answer in answers.values()
    )
    return {answer.reason for answer in answers.values()}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"patient": "p-78"}, "the access token is for another patient"),
        ({"patient": ""}, "the access token is for another patient"),
        ({"token": "two words"}, "the access token has characters that cannot be sent"),
        ({"token": "a\r\nX: b"}, "the access token has characters that cannot be sent"),
        ({"token": "\N{SNOWMAN}"}, "the access token has characters that cannot be sent"),
        ({"token": ""}, "the access token has characters that cannot be sent"),
    ],
    ids=["another patient", "an empty patient", "a blank", "a line break", "not ASCII", "empty"],
)
def test_a_token_that_may_not_be_used_sends_no_request(
    changed: dict[str, str], reason: str
) -> None:
    with Loopback(lambda _: [reply(bundle())]) as server:
        assert refused(access_to(server.url, **changed), KEYS) == {reason}
        assert server.connections == 0


def test_the_patient_can_be_given_as_a_reference() -> None:
    with Loopback(lambda _: [reply(bundle())]) as server:
        access = access_to(server.url, patient="Patient/p-77")
        (fetched,) = fetch_missing(KEYS_OF_ONE, access, "p-77", deadline_s=20).values()
    assert fetched.state == "given"


def test_only_types_that_the_scope_covers_are_requested() -> None:
    queries = {
        "problems": "Condition?patient=p-77",
        "results": "Observation?patient=p-77",
        "who": "Patient/p-77",
    }
    with Loopback(lambda _: [reply(bundle())]) as server:
        access = access_to(server.url, scope="launch patient/Condition.rs patient/Patient.s")
        answers = fetch_missing(queries, access, "p-77", deadline_s=20)
        assert [request.target for request in server.requests] == ["/fhir/Condition?patient=p-77"]
    assert answers["problems"].state == "given"
    assert answers["results"].reason == (
        "the scope of the access token does not cover searching Observation"
    )
    assert answers["who"].reason == ("the scope of the access token does not cover reading Patient")


@pytest.mark.parametrize(
    "server",
    [
        "http://fhir.example/r4",
        "ftp://127.0.0.1/fhir",
        "http://user:word@127.0.0.1/fhir",
        "http://127.0.0.1/fhir?x=1",
        "http://169.254.169.254/latest",
        "",
    ],
)
def test_a_server_that_may_not_be_called_is_not_called(server: str) -> None:
    (reason,) = refused(access_to(server))
    assert reason.startswith("the FHIR server's address ")


@pytest.mark.parametrize(
    "query",
    [
        "http://elsewhere.example/Condition",
        "//elsewhere.example/Condition",
        "/Condition?patient=p-77",
        "Patient/../admin",
        "Patient/..",
        "Patient/p-77/_history/1",
        "Condition?patient=p-77#fragment",
        "Condition?patient=\r\nX-Extra: 1",
        "Condition",
        "",
    ],
)
def test_a_query_that_is_not_a_plain_fhir_query_is_not_sent(query: str) -> None:
    with Loopback(lambda _: [reply(bundle())]) as server:
        assert refused(access_to(server.url), {"key": query}) == {
            "the query cannot be sent to a FHIR server"
        }
        assert server.connections == 0


def test_an_internal_error_is_returned_as_a_reason_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken:
        def get(self, *_: object, **__: object) -> None:
            raise RuntimeError(f"Bearer {TOKEN}")

    (fetched,) = fetch_missing(
        KEYS_OF_ONE,
        access_to("https://fhir.example/r4"),
        "p-77",
        deadline_s=20,
        session_factory=Broken,  # type: ignore[arg-type]
    ).values()
    assert (fetched.state, fetched.reason) == (
        "unavailable",
        "the FHIR server's answer to Condition could not be handled",
    )


def test_neither_token_nor_patient_is_written_anywhere(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = iter(
        [
            [reply(bundle("a", following="?page=2"))],
            [reply(b"", 503)],
            [reply(b"", 401)],
            [b"HTTP/1.1 200 OK\r\nno header at all\r\nContent-Length: 1\r\n\r\n{", HANG_UP],
            [HANG_UP],
            [HANG_UP],  # asked once more
        ]
    )
    caplog.set_level(logging.DEBUG)
    with Loopback(lambda _: next(answers)) as server:
        access = access_to(server.url)
        fetched = [
            fetch_missing(KEYS_OF_ONE, access, "p-77", deadline_s=20)["problems"] for _ in range(3)
        ]
    assert [each.state for each in fetched] == ["partial", "unavailable", "unavailable"]
    assert next(answers, None) is None
    output = "".join([caplog.text, *capfd.readouterr(), repr(fetched), repr(access)])
    for secret in (TOKEN, "p-77", "Bearer"):
        assert secret not in output


def test_the_logging_of_other_urllib3_users_is_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("somebody else's line")
    assert "somebody else's line" in caplog.text


def test_an_idle_thread_keeps_no_reference_to_its_last_task() -> None:
    class Task:
        def __call__(self) -> None:
            pass

    task = Task()
    reference = weakref.ref(task)
    Workers().run(task)
    del task
    patience = time.monotonic() + 20
    while reference() is not None and time.monotonic() < patience:
        time.sleep(0.001)
    assert reference() is None
