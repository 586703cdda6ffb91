"""Fetches from a FHIR server what prefetch lacks.

All missing keys are fetched in parallel under one deadline. Whatever the server does, every key
gets a state: ``given``, ``partial`` (some pages, not all) or ``unavailable``.
The access token goes into the Authorization header and nowhere else.

Sources: CDS Hooks 2.0.1, "FHIR resource access"; FHIR R4, "Search: paging";
SMART App Launch 1.0 and 2.2 (scopes).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

import requests

from cds_service.calls.envelope import Authorization
from cds_service.ops.breaker import Breaker
from cds_service.outbound.fhir_servers import read_base
from cds_service.outbound.servers import Servers
from cds_service.outbound.transport import CallBytes, shared_session
from cds_service.sources.fetch.pages import Caps, FetchContext, FetchedData, Query
from cds_service.sources.fetch.scopes import scope_covers

__all__ = ["Access", "Caps", "FetchedData", "fetch_missing"]

_SHARED = Servers()
_NO_TIME = "no time was left to ask the FHIR server"
_NOT_CALLED = "the FHIR server has not responded recently and is not being asked at present"
_GRACE = 0.05  # seconds in which threads may report a timeout themselves
_DEFAULT_CAPS = Caps()
_TOKEN = re.compile(r"[\x21-\x7e]+")
_QUERY = re.compile(
    r"(?P<type>[A-Z][A-Za-z]+)(?:/(?P<id>[A-Za-z0-9.-]{1,64})|\?[^#\\\x00-\x1f\x7f]*)"
)


@dataclass(frozen=True, slots=True)
class Access:
    """The access that a request gives to a FHIR server."""

    server: str
    """Base URL, already on the allowlist: https, or http on loopback."""
    authorization: Authorization | None
    """The authorization in the call; None only for open sandboxes (CDS_FHIR_OPEN)."""
    listed: str = ""
    """The entry of the allowlist that `server` equals or is below; its limits apply."""


def fetch_missing(
    queries: Mapping[str, str],
    access: Access,
    patient_id: str,
    *,
    deadline_s: float,
    caps: Caps = _DEFAULT_CAPS,
    session_factory: Callable[[], requests.Session] = shared_session,
    servers: Servers = _SHARED,
) -> dict[str, FetchedData]:
    """Send every query (prefetch key → relative FHIR query, tokens filled in).

    Returns the results in the order of ``queries`` within ``deadline_s`` seconds (plus some
    milliseconds), and never raises, whatever the server does. ``patient_id`` is the patient of
    the context: a token for another patient is not used. ``servers`` isolate the callers of one
    server from those of another.
    """
    started = time.monotonic()
    refusal = _refusal(access, patient_id)
    server = servers.at(access.listed or access.server)
    if not refusal and queries:
        if deadline_s <= 0:
            refusal = _NO_TIME
        elif not server.breaker.allows():
            refusal = _NOT_CALLED
    if refusal:
        return {key: FetchedData("unavailable", (), refusal, None, 0) for key in queries}
    authorization = access.authorization
    reports: SimpleQueue[tuple[str, FetchedData]] = SimpleQueue()
    shared = FetchContext(
        str(read_base(access.server)),
        None if authorization is None else authorization.token,
        started,
        deadline_s,
        caps,
        session_factory(),
        reports,
        CallBytes(servers.budget, caps.bytes_in_all),
    )
    settled: dict[str, FetchedData] = {}
    searches: dict[str, Query] = {}
    for key, query in queries.items():
        if reason := _query_refusal(query, access):
            settled[key] = FetchedData("unavailable", (), reason, None, 0)
        else:
            searches[key] = Query(key, query, shared)
    for search in searches.values():
        server.workers.run(search.run)
    while len(settled) < len(queries):
        remaining_s = started + deadline_s + _GRACE - time.monotonic()
        try:
            key, fetched = reports.get(timeout=max(0.0, remaining_s))
        except Empty:
            break
        settled[key] = fetched
    for key, search in searches.items():
        if key not in settled:
            settled[key] = search.abandon()
    _report(server.breaker, [settled[key] for key in searches])
    return {key: settled[key] for key in queries}


def _report(breaker: Breaker, searches: Sequence[FetchedData]) -> None:
    """Tell the breaker whether the server responded at all, if any query was sent."""
    if any(search.answered for search in searches):
        breaker.succeeded()
    elif any(search.answered is False for search in searches):
        breaker.failed()


def _refusal(access: Access, patient_id: str) -> str:
    """Why no query may be sent with this access; "" where queries may be sent."""
    try:
        read_base(access.server)
    except ValueError as error:
        return f"the FHIR server's address {error}"
    if access.authorization is None:
        return ""
    if not _TOKEN.fullmatch(access.authorization.token):
        return "the access token has characters that cannot be sent"
    patient = access.authorization.patient
    if patient is not None and patient.removeprefix("Patient/") != patient_id:
        return "the access token is for another patient"
    return ""


def _query_refusal(query: str, access: Access) -> str:
    """Why this query may not be sent; "" where it may."""
    match = _QUERY.fullmatch(query)
    if match is None or match["id"] in {".", ".."}:
        return "the query cannot be sent to a FHIR server"
    if access.authorization is None:
        return ""
    if scope_covers(access.authorization.scope, match["type"], search=match["id"] is None):
        return ""
    doing = "searching" if match["id"] is None else "reading"
    return f"the scope of the access token does not cover {doing} {match['type']}"
