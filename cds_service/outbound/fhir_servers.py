"""The FHIR servers that may be called: an allowlist, compared strictly.

Two programs may parse the same URL differently, and a request then goes to the wrong host. So a
URL is accepted only in the plain spelling that all programs parse alike; any other spelling, even
of an allowed server, is refused. Requests go to the URL as this module writes it, not as the
caller wrote it.

Plain means: ``https``, or ``http`` on loopback (127.0.0.0/8, ``localhost``, ``::1``); an ASCII
DNS name without a final dot, a dotted-quad IPv4 or a canonical IPv6 address; no user information;
no link-local, unspecified, multicast or IPv4-mapped address. A FHIR base URL has no query,
fragment, percent escape, parameter, empty segment or dot segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from cds_service.errors import StartupError

_LONGEST = 2048
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:]+\]|[a-z0-9.-]+)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[!-\"$->@-\[\]-~]*)?"
    r"(?P<query>\?[!-\"$-\[\]-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
# Parsers of URLs take a name whose last label looks like a number for an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_BASE_PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._~!$&'()*+,=:@-]+)*", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """A URL in its plain spelling: scheme and host in lower case, and always with a port."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    def __str__(self) -> str:
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}{self.query}"


def read_address(url: str) -> Address:
    """The parts of ``url``. Raises ValueError with a reason that does not quote it."""
    if len(url) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST} characters")
    match = _ADDRESS.fullmatch(url)
    if match is None:
        raise ValueError("is not a plain http(s) URL (no user, fragment, backslash or blank)")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    loopback = _is_loopback(host)
    if scheme == "http" and not loopback:
        raise ValueError("must be https (http only on loopback)")
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if port > 65535:
        raise ValueError("has a port that does not exist")
    return Address(scheme, host, port, match["path"] or "", match["query"] or "")


def _is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine. Raises ValueError for a host that is not plain."""
    if host.startswith("["):
        try:
            ipv6 = IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("has an IPv6 address that cannot be read") from None
        if str(ipv6) != host[1:-1]:
            raise ValueError(f"must spell its IPv6 address as [{ipv6}]")
        if ipv6.ipv4_mapped is not None:
            raise ValueError("hides an IPv4 address in an IPv6 one")
        _refuse_special(ipv6)
        return ipv6.is_loopback
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            ipv4 = IPv4Address(host)
        except ValueError:
            raise ValueError("has a number for a host (not a dotted-quad IPv4 address)") from None
        _refuse_special(ipv4)
        return ipv4.is_loopback
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("has a host that is not a plain DNS name")
    return host == "localhost"


def _refuse_special(address: IPv4Address | IPv6Address) -> None:
    if address.is_link_local or address.is_unspecified or address.is_multicast:
        raise ValueError("has a link-local, unspecified or multicast address")


def read_base(url: str) -> Address:
    """The parts of a FHIR base URL, without a final slash.

    Raises ValueError with a reason that does not quote the URL.
    """
    address = read_address(url)
    if address.query:
        raise ValueError("has a query")
    path = address.path.removesuffix("/")
    if not _BASE_PATH.fullmatch(path):
        raise ValueError("has a path with an empty or dot segment, an escape or a parameter")
    return Address(*address.origin, path, "")


def checked_servers(urls: Iterable[str], setting: str) -> tuple[str, ...]:
    """The allowlist in plain spelling, checked at start.

    ``setting`` is the name of the setting that has the list. Raises StartupError for a base URL
    that could never be called, and for one that is listed twice.
    """
    servers: list[str] = []
    for url in urls:
        try:
            server = str(read_base(url))
        except ValueError as error:
            raise StartupError(
                f"the FHIR server {url!r} {error}.", "Correct the URL or remove it.", setting
            ) from None
        if server in servers:
            raise StartupError(f"the FHIR server {url!r} is listed twice.", "Remove one.", setting)
        servers.append(server)
    return tuple(servers)


def allowed_server(url: str, allowed: Sequence[str]) -> tuple[str, str] | None:
    """The plain spelling of ``url`` and of the ``allowed`` base URL that it equals or is below.

    None where there is no such base URL. Call the returned URL, never ``url`` itself. Neither has
    a final slash.
    """
    try:
        requested = read_base(url)
    except ValueError:
        return None
    for base in allowed:
        try:
            listed_base = read_base(base)
        except ValueError:
            continue
        if requested.origin == listed_base.origin and (
            requested.path == listed_base.path or requested.path.startswith(f"{listed_base.path}/")
        ):
            return str(requested), str(listed_base)
    return None


def same_origin(first: str, second: str) -> bool:
    """Whether two URLs have the same scheme, host and port (False where either is not plain).

    For the ``next`` links of a Bundle, which may have any path and query.
    """
    try:
        return read_address(first).origin == read_address(second).origin
    except ValueError:
        return False
