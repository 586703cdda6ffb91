"""The pages of one FHIR query: fetched one after the other until time or memory runs out.

Whatever the server does, the result is one `FetchedData` with a reason in words; nothing is raised.
"""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Literal
from urllib.parse import unquote, urldefrag, urljoin

import msgspec
import requests
import urllib3

from cds_service.fhir.intake.extent import missing_of
from cds_service.fhir.values.elements import readable
from cds_service.ops.memory import LARGE_BODY, give_back_soon
from cds_service.outbound.fhir_servers import read_address, read_base
from cds_service.outbound.transport import CallBytes, Line

_CHUNK = 65_536
_RETRY_PAUSE = 0.1  # seconds, unless the server names a time


@dataclass(frozen=True, slots=True)
class FetchedData:
    """What was fetched for one key."""

    state: Literal["given", "partial", "unavailable"]
    pages: tuple[bytes, ...] = field(repr=False)
    """Raw JSON bodies in order: pages of a Bundle, or one resource. Each is a JSON object
    with a resourceType other than OperationOutcome; nothing else has been checked."""
    reason: str
    """Why not everything was fetched, in words without token or patient data; "" when given."""
    status: int | None
    """HTTP status of the last response, if there was one."""
    milliseconds: int
    """From the start of the call until the result for this key was known."""
    answered: bool | None = field(default=None, compare=False)
    """Whether the server responded, other than with a status of 500 or more.
    None where it was not asked."""
    bytes_held: CallBytes | None = field(default=None, repr=False, compare=False)
    """Counts the bytes of the pages as long as they are in use."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that is read for one key."""

    pages: int = 20
    entries: int = 10_000
    """No further page is fetched after this many entries."""
    bytes: int = 32_000_000
    """For all pages together, after decompression."""
    bytes_in_all: int = 64_000_000
    """For all keys of a call together."""
    connect_s: float = 1.5
    """Seconds to open a connection (enough for one lost packet), within the deadline."""


@dataclass(frozen=True, slots=True)
class FetchContext:
    """What all queries of one call share."""

    server: str
    """Base URL in plain spelling, without a final slash."""
    token: str | None = field(repr=False)
    started: float
    """time.monotonic() when the call began."""
    limit_s: float
    caps: Caps
    session: requests.Session
    reports: SimpleQueue[tuple[str, FetchedData]]
    """Where each query reports its result, unless it was given up before."""
    bytes_held: CallBytes


class _Fault(Exception):  # never leaves this module
    """Why a page could not be fetched, in words."""


class _Link(msgspec.Struct, frozen=True):
    relation: str = ""
    url: str = ""


class _Page(msgspec.Struct, frozen=True):
    resourceType: str  # noqa: N815  # FHIR's name
    entry: list[msgspec.Raw] | None = None
    link: msgspec.Raw = msgspec.Raw(b"null")
    total: msgspec.Raw = msgspec.Raw(b"null")
    meta: msgspec.Raw = msgspec.Raw(b"null")


_read_page = msgspec.json.Decoder(_Page).decode
_read_links = msgspec.json.Decoder(list[_Link] | None).decode


class Query:
    """Fetches the pages of one key, in one of the threads of the server."""

    def __init__(self, key: str, query: str, shared: FetchContext) -> None:
        self._key = key
        self._round = shared
        self._url = f"{shared.server}/{query}"
        self._what = query.partition("?")[0].partition("/")[0]
        self._headers = {
            "Accept": "application/fhir+json, application/json;q=0.9",
            "Accept-Encoding": "gzip",
        }
        if shared.token is not None:
            self._headers["Authorization"] = f"Bearer {shared.token}"
        self._line = Line()
        self._begun = False
        self._late = False
        self._retried = False
        self._status: int | None = None
        self._pages: list[bytes] = []
        self._bytes = 0
        self._entries = 0

    def run(self) -> None:
        """Fetch all pages, and report once."""
        if self._line.is_cut or time.monotonic() >= self._round.started + self._round.limit_s:
            return  # the caller sees that this was never started
        self._begun = True
        try:
            with self._line.in_use():
                self._follow()
            fetched = self._ended("")
        except _Fault as fault:
            fetched = self._ended(str(fault))
        except Exception:  # whatever a server provokes, one key must not fail the call
            fetched = self._ended(f"the FHIR server's answer to {self._what} could not be handled")
        self._round.reports.put((self._key, fetched))
        if self._round.bytes_held.bytes >= LARGE_BODY:
            give_back_soon()  # also for what the call never gets, because it is too large or late

    def abandon(self) -> FetchedData:
        """What was fetched before the deadline passed. Nothing more will be read."""
        self._line.cut()
        if not self._begun:
            return self._ended("too many other FHIR queries were in progress")
        return self._ended(self._too_late())

    def _follow(self) -> None:
        url, visited = self._url, set[str]()
        while True:
            visited.add(url)
            body = self._get(url)
            next_url = self._accept(body, url)
            if next_url is None:
                return
            if next_url in visited:
                raise _Fault("the pages lead back to one already read")
            if len(self._pages) >= self._round.caps.pages:
                raise _Fault(f"there are more than {self._round.caps.pages} pages")
            if self._entries >= self._round.caps.entries:
                raise _Fault(f"there are more than {self._round.caps.entries} entries")
            url = next_url

    def _get(self, url: str) -> bytes:
        """The decompressed body of one page. Raises _Fault."""
        while True:
            remaining_s = self._left()
            try:
                with self._round.session.get(
                    url,
                    headers=self._headers,
                    stream=True,
                    allow_redirects=False,
                    timeout=(min(remaining_s, self._round.caps.connect_s), remaining_s),
                ) as response:
                    self._status = response.status_code
                    if response.status_code == 200:
                        return self._body(response)
                    pause = _retry_pause(response)
            except requests.exceptions.SSLError:
                raise _Fault("no secure connection to the FHIR server could be made") from None
            except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                # A kept-alive connection may be closed just when it is used again.
                if self._retried or not _hung_up(error):
                    raise self._broken(error) from None
                self._retried = True
                continue
            except http.client.HTTPException as error:
                raise self._broken(error) from None
            if pause is None or self._retried or pause >= self._left():
                redirected = 300 <= self._status < 400
                tail = ": redirects are not followed" if redirected else ""
                raise _Fault(f"the FHIR server answered {self._status} to {self._what}{tail}")
            self._retried = True
            self._line.pause(pause)

    def _body(self, response: requests.Response) -> bytes:
        room = self._round.caps.bytes - self._bytes
        announced = response.headers.get("Content-Length", "")
        body = bytearray()
        too_much = announced.isdecimal() and int(announced) > room
        while not too_much:
            chunk = response.raw.read1(_CHUNK, decode_content=True)
            if not chunk:
                self._bytes += len(body)
                return bytes(body.removeprefix(b"\xef\xbb\xbf"))
            body += chunk
            too_much = len(body) > room
            if not self._round.bytes_held.take(len(chunk)):
                raise _Fault(
                    f"there was no memory for the answer to {self._what}: too much was fetched at "
                    "once"
                )
            self._left()
        raise _Fault(
            f"the answer to {self._what} is larger than {self._round.caps.bytes / 1e6:g} MB"
        )

    def _accept(self, body: bytes, url: str) -> str | None:
        """Keep the page if it is valid; returns the address of the next one. Raises _Fault."""
        try:
            page = _read_page(body)
        except msgspec.ValidationError:
            raise _Fault(f"the answer to {self._what} is not a FHIR resource") from None
        except (msgspec.DecodeError, RecursionError):
            raise _Fault(f"the answer to {self._what} is not complete JSON") from None
        if page.resourceType == "OperationOutcome":
            raise _Fault(f"the FHIR server answered {self._what} with an error (OperationOutcome)")
        self._pages.append(body)
        self._entries += len(page.entry or ())
        if page.resourceType != "Bundle":
            return None
        try:
            links = _read_links(page.link) or []
        except msgspec.DecodeError:
            raise _Fault("the links to further pages cannot be read") from None
        next_urls = (link.url for link in links if link.relation.strip().lower() == "next")
        next_url = next(next_urls, None)
        if next_url is not None:
            return self._allowed(next_url, url)
        bundle = {"total": readable(page.total), "meta": readable(page.meta)}
        if missing := missing_of(bundle, self._entries):
            raise _Fault(missing)
        return None

    def _allowed(self, link: str, url: str) -> str:
        """The address of ``link`` on the page at ``url``. Raises _Fault where it is not allowed."""
        try:
            address: str = urldefrag(urljoin(url, link)).url
        except ValueError:
            address = ""
        # urljoin silently drops line breaks: check the link as it was sent.
        plain = link.isascii() and link.isprintable()
        if not link or not plain or not _is_below(self._round.server, address):
            raise _Fault("the next page is at an address that may not be called")
        return address

    def _left(self) -> float:
        """Seconds until the deadline, more than zero. Raises _Fault after it."""
        remaining_s = self._round.started + self._round.limit_s - time.monotonic()
        if remaining_s <= 0 or self._line.is_cut:
            raise _Fault(self._too_late())
        return remaining_s

    def _too_late(self) -> str:
        self._late = True
        return (
            f"the FHIR server gave no full answer to {self._what} within {self._round.limit_s:g} s"
        )

    def _broken(self, error: Exception) -> _Fault:
        self._left()
        if isinstance(error, requests.ConnectTimeout):
            return _Fault("the FHIR server could not be reached in time")
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
            return _Fault(self._too_late())
        return _Fault(f"the connection to the FHIR server broke before {self._what} was answered")

    def _ended(self, reason: str) -> FetchedData:
        pages = tuple(self._pages)
        if reason and pages:
            plural = "s" if len(pages) > 1 else ""
            reason = f"only {len(pages)} page{plural} of {self._what} could be read: {reason}"
        state: Literal["given", "partial", "unavailable"] = (
            "given" if not reason else "partial" if pages else "unavailable"
        )
        spent = round((time.monotonic() - self._round.started) * 1000)
        answered = None
        if self._begun:
            responded = self._status is not None and self._status < 500 and not self._late
            answered = responded or bool(pages)
        return FetchedData(
            state, pages, reason, self._status, spent, answered, self._round.bytes_held
        )


def _hung_up(error: Exception) -> bool:
    """Whether the server closed the connection instead of responding: a read may be repeated."""
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return isinstance(cause, urllib3.exceptions.ProtocolError) and isinstance(
        cause.args[-1], ConnectionResetError | BrokenPipeError
    )


def _retry_pause(response: requests.Response) -> float | None:
    """Seconds until a retry makes sense; None where it does not."""
    if response.status_code not in {502, 503, 504}:
        return None
    retry_after = response.headers.get("Retry-After", "")
    return float(retry_after) if retry_after.isdecimal() and len(retry_after) < 9 else _RETRY_PAUSE


def _is_below(base: str, url: str) -> bool:
    """Whether ``url`` has the origin of ``base``, and its path or one below it."""
    place = url.partition("?")[0]  # any query is allowed, as long as the one that was sent
    try:
        own, other = read_base(base), read_address(place)
    except ValueError:
        return False
    if own.origin != other.origin:
        return False
    if any(part in {".", ".."} for part in unquote(other.path).split("/")):
        return False
    return other.path == own.path or other.path.startswith(f"{own.path}/")
