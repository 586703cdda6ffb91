"""Pages of a Bundle: followed on the same server, below the same base, to a cap."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cds_service.sources.fetch.client import Caps, FetchedData
from tests.fhir_client.loopback import Loopback, Request, Step, bundle, reply
from tests.fhir_client.test_faults import SMALL, fetch_one


def paged(link_of: Callable[[int], str | None], count: int = 1) -> Callable[[Request], list[Step]]:
    """Answers page n with ``count`` entries and the link that ``link_of`` gives for it."""

    def answer(request: Request) -> list[Step]:
        ids = [f"{request.number}-{n}" for n in range(count)]
        return [reply(bundle(*ids, following=link_of(request.number)))]

    return answer


def fetch_pages(
    answer: Callable[[Request], list[Step]], caps: Caps = SMALL
) -> tuple[FetchedData, int]:
    with Loopback(answer) as server:
        return fetch_one(server.url, caps=caps), len(server.requests)


def test_links_are_followed_to_the_last_page_in_order() -> None:
    fetched, requests = fetch_pages(paged(lambda n: f"?page={n + 1}" if n < 3 else None))
    ids = [json.loads(page)["entry"][0]["resource"]["id"] for page in fetched.pages]
    assert (fetched.state, ids, requests) == ("given", ["1-0", "2-0", "3-0"], 3)


def test_each_page_is_requested_with_the_token() -> None:
    with Loopback(paged(lambda n: f"?page={n + 1}" if n < 2 else None)) as server:
        fetch_one(server.url)
        assert [request.headers["authorization"] for request in server.requests] == [
            "Bearer s3cr3t-t0ken"
        ] * 2


def test_pages_without_end_stop_at_the_cap_and_are_partial() -> None:
    fetched, requests = fetch_pages(paged(lambda n: f"?page={n + 1}"))
    assert (fetched.state, len(fetched.pages), requests) == ("partial", 4, 4)
    assert fetched.reason == (
        "only 4 pages of Condition could be read: there are more than 4 pages"
    )


def test_as_many_pages_as_the_cap_are_complete() -> None:
    fetched, _ = fetch_pages(paged(lambda n: f"?page={n + 1}" if n < 4 else None))
    assert (fetched.state, len(fetched.pages)) == ("given", 4)


def test_no_page_is_requested_once_the_cap_of_entries_is_reached() -> None:
    fetched, requests = fetch_pages(paged(lambda n: f"?page={n + 1}", count=25))
    assert (fetched.state, requests) == ("partial", 2)
    assert fetched.reason.endswith("there are more than 50 entries")


def test_the_cap_of_bytes_applies_to_all_pages_together() -> None:
    answer = paged(lambda n: f"?page={n + 1}", count=40)
    size = len(answer(Request("/", {}, 1, 1))[0])  # type: ignore[arg-type]
    fetched, _ = fetch_pages(answer, Caps(pages=9, entries=999, bytes=int(size * 1.5)))
    assert (fetched.state, len(fetched.pages)) == ("partial", 1)
    assert "is larger than" in fetched.reason


@pytest.mark.parametrize(
    "link",
    ["/fhir/Condition?patient=1", "?page=1", "?page=2"],
    ids=["to the first page", "to itself", "to itself, found on the second page"],
)
def test_pages_that_link_in_a_circle_are_partial(link: str) -> None:
    def answer(request: Request) -> list[Step]:
        return [reply(bundle("a", following=link))]

    fetched, requests = fetch_pages(answer)
    assert fetched.state == "partial"
    assert requests == len(fetched.pages) <= 2
    assert fetched.reason.endswith("the pages lead back to one already read")


@pytest.mark.parametrize(
    "second",
    [
        reply(b"", 500),
        reply(b"<html>"),
        reply({"resourceType": "OperationOutcome"}),
        reply(b"", 302, location="?page=3"),
    ],
    ids=["500", "HTML", "OperationOutcome", "a redirect"],
)
def test_a_second_page_that_fails_leaves_the_first_as_partial(second: bytes) -> None:
    def answer(request: Request) -> list[Step]:
        return [reply(bundle("a", following="?page=2")) if request.number == 1 else second]

    fetched, _ = fetch_pages(answer)
    assert (fetched.state, len(fetched.pages)) == ("partial", 1)
    assert fetched.reason.startswith("only 1 page of Condition could be read: the ")


ELSEWHERE = {
    "another port": "http://127.0.0.1:{other}/fhir/Condition?page=2",
    "another spelling of the host": "http://localhost:{port}/fhir/Condition?page=2",
    "the host as a number": "http://2130706433:{port}/fhir/Condition?page=2",
    "another scheme": "https://127.0.0.1:{port}/fhir/Condition?page=2",
    "no scheme": "//127.0.0.1:{other}/fhir/Condition?page=2",
    "a file": "file:///etc/passwd",
    "a user name": "http://user@127.0.0.1:{port}/fhir/Condition?page=2",
    "the server as a user name": "http://127.0.0.1:{port}@127.0.0.1:{other}/fhir/Condition",
    "a backslash": "http://127.0.0.1:{other}\\@127.0.0.1:{port}/fhir/Condition",
    "another path": "http://127.0.0.1:{port}/admin?page=2",
    "a path that only begins the same way": "http://127.0.0.1:{port}/fhirplus/Condition?page=2",
    "a path that climbs": "http://127.0.0.1:{port}/fhir/../admin",
    "a path that climbs in disguise": "http://127.0.0.1:{port}/fhir/%2e%2e/admin",
    "a line break": "http://127.0.0.1:{port}/fhir/Condition?page=2 HTTP/1.1\r\nX-Extra: 1",
    "an address that cannot be read": "http://[::1/fhir",
    "nothing": "",
}


@pytest.mark.parametrize("link", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_link_that_leads_elsewhere_is_never_followed(link: str) -> None:
    with Loopback(lambda _: [reply(bundle("stolen"))]) as other:
        other_port = other.server_address[1]

        def answer(_: Request) -> list[Step]:
            address = link.format(port=server.server_address[1], other=other_port)
            return [reply(bundle("a", following=address))]

        with Loopback(answer) as server:
            fetched = fetch_one(server.url)
            assert len(server.requests) == 1
        assert other.connections == 0
    assert (fetched.state, len(fetched.pages)) == ("partial", 1)
    assert fetched.reason == (
        "only 1 page of Condition could be read: "
        "the next page is at an address that may not be called"
    )


@pytest.mark.parametrize("links", ['{"relation": "next"}', '[{"relation": 5}]', '"next"'])
def test_an_unreadable_link_does_not_mean_the_last_page(links: str) -> None:
    body = f'{{"resourceType": "Bundle", "link": {links}}}'.encode()
    fetched, _ = fetch_pages(lambda _: [reply(body)])
    assert (fetched.state, len(fetched.pages)) == ("partial", 1)
    assert fetched.reason.endswith("the links to further pages cannot be read")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"total": 7}, "the Bundle says 7 and contains 1"),
        ({"total": "7"}, "the Bundle says 7 and contains 1"),
        ({"meta": {"tag": [{"code": "SUBSETTED"}]}}, "SUBSETTED"),
    ],
)
def test_an_incomplete_last_page_is_partial(more: dict, reason: str) -> None:
    fetched, requests = fetch_pages(lambda request: [reply(bundle("1") | more)])
    assert (fetched.state, requests) == ("partial", 1)
    assert reason in fetched.reason


def test_a_total_counts_the_entries_of_all_pages() -> None:
    def answer(request: Request) -> list[Step]:
        link = "?page=2" if request.number == 1 else None
        return [reply(bundle(str(request.number), following=link) | {"total": 2})]

    assert fetch_pages(answer)[0].state == "given"
