"""Which servers may be called: an allowed base URL and what is below it, normalised."""

from __future__ import annotations

import pytest

from cds_service.errors import StartupError
from cds_service.outbound.fhir_servers import allowed_server, checked_servers, same_origin

ALLOWED = (
    "https://fhir.example/r4",
    "https://whole.example",
    "https://k.example/r4",
    "https://10.1.2.3:8443/fhir/",
    "https://[2001:db8::1]/fhir",
    "http://localhost:8080/fhir",
    "http://127.0.0.1:8080/fhir",
    "http://[::1]:8080/fhir",
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://fhir.example/r4", "https://fhir.example/r4"),
        ("https://fhir.example/r4/", "https://fhir.example/r4"),
        ("https://fhir.example/r4/tenant-1", "https://fhir.example/r4/tenant-1"),
        ("HTTPS://FHIR.Example/r4", "https://fhir.example/r4"),
        ("https://fhir.example:443/r4", "https://fhir.example/r4"),
        ("https://whole.example", "https://whole.example"),
        ("https://whole.example/", "https://whole.example"),
        ("https://whole.example/any/path", "https://whole.example/any/path"),
        ("https://10.1.2.3:8443/fhir", "https://10.1.2.3:8443/fhir"),
        ("https://[2001:DB8::1]/fhir", "https://[2001:db8::1]/fhir"),
        ("http://localhost:8080/fhir", "http://localhost:8080/fhir"),
        ("http://127.0.0.1:8080/fhir", "http://127.0.0.1:8080/fhir"),
        ("http://[::1]:8080/fhir", "http://[::1]:8080/fhir"),
    ],
)
def test_an_allowed_server_is_called_with_its_normalised_url(url: str, expected: str) -> None:
    allowed = allowed_server(url, ALLOWED)
    assert allowed is not None
    assert allowed[0] == expected
    assert allowed[0].startswith(allowed[1])


REFUSED = {
    "another host": "https://evil.example/r4",
    "another scheme": "http://fhir.example/r4",
    "another port": "https://fhir.example:8443/r4",
    "another port of loopback": "http://127.0.0.1:8081/fhir",
    "a sister path": "https://fhir.example/r4b",
    "a path above": "https://fhir.example/",
    "a path in capitals": "https://fhir.example/R4",
    "a host below": "https://x.fhir.example/r4",
    "a host that begins the same way": "https://fhir.example.evil.example/r4",
    "a host that ends the same way": "https://evilfhir.example/r4",
    "user information": "https://user@fhir.example/r4",
    "a password": "https://user:pass@fhir.example/r4",
    "the allowed host as user": "https://fhir.example@evil.example/r4",
    "the allowed host as user, with a port": "https://fhir.example:443@evil.example/r4",
    "a backslash before the at": "https://evil.example\\@fhir.example/r4",
    "a backslash for a slash": "https:\\\\fhir.example\\r4",
    "a backslash in the path": "https://fhir.example/r4\\..\\admin",
    "a dot at the end of the host": "https://fhir.example./r4",
    "an escaped host": "https://fhir%2eexample/r4",
    "a full-width host": "https://ｆhir.example/r4",
    "an ideographic dot": "https://fhir。example/r4",
    "an umlaut": "https://fhir.ex\u00e4mple/r4",
    "a Kelvin sign, which becomes a k": "https://\u212a.example/r4",
    "a long s in the scheme": "http\u017f://fhir.example/r4",
    "a tab": "https://fhir.exa\tmple/r4",
    "a line break": "https://fhir.example\n/r4",
    "a line break at the end": "https://fhir.example/r4\n",
    "a blank in front": " https://fhir.example/r4",
    "a NUL": "https://fhir.example/r4\x00",
    "three slashes": "https:///fhir.example/r4",
    "one slash": "https:/fhir.example/r4",
    "no scheme": "//fhir.example/r4",
    "another protocol": "ftp://fhir.example/r4",
    "a file": "file:///r4",
    "an empty port": "https://fhir.example:/r4",
    "port 0": "https://fhir.example:0/r4",
    "a port with a zero in front": "https://fhir.example:0443/r4",
    "a port that does not exist": "https://fhir.example:65979/r4",
    "a query": "https://fhir.example/r4?x=1",
    "an empty query": "https://fhir.example/r4?",
    "a fragment": "https://fhir.example/r4#x",
    "an empty fragment": "https://fhir.example/r4#",
    "a dot segment": "https://fhir.example/r4/../admin",
    "a dot segment at the end": "https://fhir.example/r4/..",
    "a single dot": "https://fhir.example/r4/./x",
    "an escaped dot segment": "https://fhir.example/r4/%2e%2e/admin",
    "a half-escaped dot segment": "https://fhir.example/r4/.%2E/admin",
    "a twice-escaped dot segment": "https://fhir.example/r4/%252e%252e/admin",
    "an escaped slash": "https://fhir.example/r4/..%2fadmin",
    "a parameter on a dot segment": "https://fhir.example/r4/..;/admin",
    "two slashes": "https://fhir.example/r4//admin",
    "two slashes at the end": "https://fhir.example/r4//",
    "two slashes in front of the path": "https://fhir.example//r4",
    "loopback as a number": "http://2130706433:8080/fhir",
    "loopback in hexadecimal": "http://0x7f000001:8080/fhir",
    "loopback in octal": "http://0177.0.0.1:8080/fhir",
    "loopback, abbreviated": "http://127.1:8080/fhir",
    "loopback by another number": "http://127.0.0.2:8080/fhir",
    "loopback mapped": "http://[::ffff:127.0.0.1]:8080/fhir",
    "loopback mapped, in hexadecimal": "http://[::ffff:7f00:1]:8080/fhir",
    "loopback written out": "http://[0:0:0:0:0:0:0:1]:8080/fhir",
    "localhost with a dot": "http://localhost.:8080/fhir",
    "a name below localhost": "http://x.localhost:8080/fhir",
    "a zone": "http://[::1%25lo]:8080/fhir",
    "an address abbreviated twice": "https://[2001::db8::1]/fhir",
    "an address in digits of another script": "http://１27.0.0.1:8080/fhir",
    "the address as a number": "https://167838211:8443/fhir",
    "nothing": "",
    "too long": "https://whole.example/" + "a" * 2048,
}


def test_an_unreadable_base_url_allows_nothing_and_does_not_affect_the_others() -> None:
    assert allowed_server("fhir.example/r4", ("fhir.example/r4",)) is None
    assert allowed_server("https://fhir.example/r4", ("fhir.example/r4", *ALLOWED))


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_not_called(url: str) -> None:
    assert allowed_server(url, ALLOWED) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest",
        "https://[fe80::1]/fhir",
        "https://0.0.0.0/fhir",
        "https://[::]/fhir",
        "https://224.0.0.1/fhir",
        "https://[::ffff:169.254.169.254]/fhir",
        "https://[::ffff:a9fe:a9fe]/fhir",
        "http://fhir.example/r4",
        "http://10.0.0.1/fhir",
        "https://user@fhir.example/r4",
        "https://fhir.example/r4?x=1",
        "https://fhir.example/%72%34",
        "https://fhir.example.:443/r4",
        "https://fhir.example:70000/r4",
        "https://[2001:db8:0::1]/fhir",
        "http://x.localhost/fhir",
        "http://notlocalhost/fhir",
        "https://-fhir.example/r4",
        "https://2852039166/fhir",
        "https://x.0x7f/fhir",
        "fhir.example",
        "",
    ],
)
def test_some_addresses_are_never_called_even_if_they_are_listed(url: str) -> None:
    assert allowed_server(url, (url,)) is None
    with pytest.raises(StartupError, match="CDS_FHIR_SERVERS"):
        checked_servers((url,), "CDS_FHIR_SERVERS")


def test_an_empty_list_allows_nothing() -> None:
    assert allowed_server("https://fhir.example/r4", ()) is None


def test_a_list_is_stored_with_normalised_urls() -> None:
    assert checked_servers(["https://FHIR.example:443/r4/", "http://localhost"], "X") == (
        "https://fhir.example/r4",
        "http://localhost",
    )


def test_a_server_listed_twice_is_refused_at_start() -> None:
    with pytest.raises(StartupError, match="listed twice"):
        checked_servers(["https://fhir.example/r4", "https://fhir.example/r4/"], "X")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("https://fhir.example/elsewhere?page=2&x=%2F", True),
        ("https://FHIR.example:443", True),
        ("https://fhir.example:444/r4", False),
        ("http://fhir.example/r4", False),
        ("https://fhir.example@evil.example/r4", False),
        ("https://fhir.example.evil.example/r4", False),
        ("https://evil.example\\@fhir.example/r4", False),
        ("/r4?page=2", False),
        ("//fhir.example/r4", False),
        ("", False),
    ],
)
def test_a_next_link_stays_on_its_origin(other: str, same: bool) -> None:
    assert same_origin("https://fhir.example/r4/Observation", other) is same
