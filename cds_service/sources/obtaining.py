"""Obtains the data of a call: what is in prefetch, and what must be fetched because it is not.

Each key ends in one of five states, which are never confused: given, none on file, absent,
unavailable (an error instead), partial (some of it).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec.structs import replace

from cds_service.calls.envelope import RESULTS, Envelope, LazyPrefetch
from cds_service.core.facts import Kind, State
from cds_service.fhir.intake.delivery import Delivery, LazyJson
from cds_service.fhir.intake.extent import says_incomplete, shortfall
from cds_service.fhir.intake.wrapping import unwrapped
from cds_service.fhir.values.elements import UNREADABLE, readable
from cds_service.fhir.values.peeks import (
    EntryPage,
    ResultPage,
    read_entries,
    read_extent,
    read_page,
)
from cds_service.fhir.values.versions import type_of
from cds_service.sources.own_keys import NO_OWN_KEYS, OwnKeys, own_keys
from cds_service.sources.prefetch import NOT_ASKED, PrefetchKey

if TYPE_CHECKING:
    from cds_service.sources.fetch.client import Access, FetchedData

_NOTHING = (b"", b"null")
_FETCHED = "FHIR server"
_ERROR_REPORTED = "the client reported an error instead of the data"
_ERROR_IN_PART = "the client reported an error for part of the data"
_STATES = {"given": State.GIVEN, "partial": State.PARTIAL, "unavailable": State.UNAVAILABLE}


class _Inner(msgspec.Struct, frozen=True):
    resourceType: str = ""  # noqa: N815  # FHIR's name
    status: msgspec.Raw = msgspec.Raw(b"")
    issue: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Entry(msgspec.Struct, frozen=True):
    resource: _Inner | None = None


class _Bundle(_Inner, frozen=True):
    entry: list[_Entry] | None = None


_read_bundle = msgspec.json.Decoder(_Bundle).decode


class Fetch(Protocol):
    """Sends several queries to a FHIR server in parallel (`sources.fetch.client.fetch_missing`)."""

    def __call__(
        self, queries: Mapping[str, str], access: Access, patient_id: str, *, deadline_s: float
    ) -> Mapping[str, FetchedData]:
        """One result for each query, within the deadline, whatever the server does."""
        ...


class ServerAllowed(Protocol):
    """Checks a FHIR base URL against a list (`outbound.fhir_servers.allowed_server`)."""

    def __call__(self, url: str, allowed: Sequence[str]) -> tuple[str, str] | None:
        """The plain spellings of ``url`` and of the allowed base URL; None for any other URL."""
        ...


@dataclass(frozen=True, slots=True)
class Obtaining:
    """Makes the deliveries of a call.

    ``deadline_s`` is in seconds. With ``open_servers`` FHIR servers are called without a token
    (sandboxes).
    """

    allowed_server: ServerAllowed
    fetch: Fetch
    deadline_s: float
    open_servers: bool = False

    def deliveries(
        self,
        envelope: Envelope,
        keys: Sequence[PrefetchKey],
        servers: Sequence[str],
        started: float | None = None,
    ) -> tuple[dict[Kind, Delivery], Mapping[str, FetchedData]]:
        """One delivery for each key, and what was fetched, by the name of the key.

        ``servers`` are the FHIR base URLs that this caller may name. ``started`` is the value of
        ``time.monotonic()`` from which the deadline counts (default: now).
        """
        call = envelope.call
        by_key: dict[str, Delivery] = {}
        queries: dict[str, str] = {}
        for key in keys:
            from_prefetch = self._from_prefetch(envelope, key)
            if from_prefetch is not None:
                by_key[key.name] = from_prefetch
                if (
                    from_prefetch.state is not State.PARTIAL
                    or from_prefetch.reason == _ERROR_IN_PART
                ):
                    continue
            query = key.query(call.patient_id, call.encounter_id)
            if query is not None:
                queries[key.name] = query
            elif from_prefetch is None:
                by_key[key.name] = not_asked(key.kind)
        own = _own_keys(envelope, keys)
        if not queries:
            return {key.kind: _with(by_key[key.name], own) for key in keys}, {}
        access, refusal = self._access(envelope, servers)
        fetched: Mapping[str, FetchedData] = {}
        if access is not None:
            spent = 0.0 if started is None else time.monotonic() - started
            seconds_left = max(0.0, self.deadline_s - spent)
            fetched = self.fetch(queries, access, call.patient_id, deadline_s=seconds_left)
        for key in keys:
            if key.name not in queries:
                continue
            delivery = by_key.get(key.name)
            answer = fetched.get(key.name)
            if answer is not None and (delivery is None or answer.state == "given"):
                delivery = Delivery(
                    key.kind, _STATES[answer.state], answer.pages, _FETCHED, answer.reason
                )
            if delivery is None or delivery.state is State.UNAVAILABLE:
                delivery = own.deliveries.get(key.kind, delivery)
            by_key[key.name] = delivery or Delivery(key.kind, State.ABSENT, reason=refusal)
        return {key.kind: _with(by_key[key.name], own) for key in keys}, fetched

    @staticmethod
    def _from_prefetch(envelope: Envelope, key: PrefetchKey) -> Delivery | None:
        """What the client sent for one key; None where it sent nothing."""
        page = envelope.results if key.name == RESULTS else None
        if page is not None and key.kind is Kind.RESULTS and not _reports_an_error(page):
            return _page(key, LazyJson(partial(_raw_value, envelope, key.name)), page)
        raw = envelope.prefetch.get(key.name)
        return None if raw is None else read_key(key, raw)

    def _access(self, envelope: Envelope, servers: Sequence[str]) -> tuple[Access | None, str]:
        """The access to the caller's FHIR server, or None and why there is none."""
        from cds_service.sources.fetch.client import Access

        if envelope.call.fhir_server is None:
            return None, "not sent by the client, and the call names no FHIR server"
        server = self.allowed_server(envelope.call.fhir_server, servers)
        if server is None:
            return None, "not sent by the client, and its FHIR server is not on the allowlist"
        base, listed_as = server
        if envelope.authorization is not None or self.open_servers:
            return Access(base, envelope.authorization, listed_as), ""
        return None, "not sent by the client, and the call has no token for its FHIR server"


def not_asked(kind: Kind) -> Delivery:
    """The delivery of a kind for which the call gives nothing to ask for: nothing is missing."""
    return Delivery(kind, State.NONE, reason=NOT_ASKED)


def read_key(key: PrefetchKey, value: msgspec.Raw) -> Delivery:
    """The delivery of what the client sent for one key. Unreadable JSON is passed on unchanged."""
    origin = f"prefetch.{key.name}"
    page = _results(value) if key.kind is Kind.RESULTS else None
    if page is not None:
        return _page(key, value, page)
    raw = bytes(value)
    if raw in _NOTHING:
        return Delivery(key.kind, State.NONE, origin=origin)
    if key.kind is not Kind.RESULTS and (entries := read_entries(raw)) is not None:
        return _page(key, raw, entries)
    try:
        peeked = read_extent(raw)
    except (msgspec.DecodeError, RecursionError):
        peeked = None
    if peeked is None or not peeked.resourceType:
        if (inner := unwrapped(raw)) is not None:
            return read_key(key, msgspec.Raw(inner))
        if peeked is None:
            reason = shortfall(raw)
            state = State.PARTIAL if reason else State.GIVEN
            return Delivery(key.kind, state, (raw,), origin, reason)
    kind = type_of(peeked.resourceType)
    if kind == "OperationOutcome":
        return Delivery(key.kind, State.UNAVAILABLE, (), origin, _ERROR_REPORTED)
    if b"OperationOutcome" in raw and (failed := _failed_entries(raw, key.kind)):
        if failed == "all":
            return Delivery(key.kind, State.UNAVAILABLE, (), origin, _ERROR_REPORTED)
        return Delivery(key.kind, State.PARTIAL, (raw,), origin, _ERROR_IN_PART)
    reason = peeked.lacking if kind == "Bundle" else ""
    return Delivery(key.kind, State.PARTIAL if reason else State.GIVEN, (raw,), origin, reason)


def _raw_value(envelope: Envelope, name: str) -> bytes:
    return bytes(envelope.prefetch.get(name) or b"")


def _page(
    key: PrefetchKey, raw: bytes | msgspec.Raw | LazyJson, page: ResultPage | EntryPage
) -> Delivery:
    """The delivery of a Bundle that was decoded."""
    reason = page.lacking
    state = State.PARTIAL if reason else State.GIVEN
    return Delivery(key.kind, state, (raw,), f"prefetch.{key.name}", reason, page)


def _reports_an_error(page: ResultPage) -> bool:
    return any(slot.resource.resourceType == "OperationOutcome" for slot in page.entry)


def _results(raw: msgspec.Raw) -> ResultPage | None:
    """A Bundle of Observations, decoded; None for anything else."""
    try:
        page = read_page(raw)
    except UNREADABLE:
        return None
    return None if _reports_an_error(page) else page


def _failed_entries(raw: bytes, kind: Kind) -> str:
    """``all`` or ``some`` where entries of a Bundle are errors; "" where none are.

    Servers also send hints and warnings this way; with most of those nothing is missing.
    """
    try:
        entries = _read_bundle(raw).entry or []
    except (msgspec.DecodeError, RecursionError):
        return ""
    resources = [entry.resource for entry in entries if entry.resource is not None]
    outcomes = [resource for resource in resources if resource.resourceType == "OperationOutcome"]
    if not any(says_incomplete({"issue": readable(resource.issue)}, kind) for resource in outcomes):
        return ""
    return "all" if len(outcomes) == len(resources) else "some"


def _with(delivery: Delivery, own: OwnKeys) -> Delivery:
    """What was sent under a key of this service, together with what was sent under other keys."""
    if own is NO_OWN_KEYS:
        return delivery
    return own.with_companions(_joined(delivery, own.deliveries.get(delivery.kind)))


def _joined(delivery: Delivery, more: Delivery | None) -> Delivery:
    if (
        more is None
        or more.state is State.GIVEN  # a patient, an encounter: there is only one
        or delivery.state not in (State.GIVEN, State.NONE, State.PARTIAL)
        or delivery.origin in (_FETCHED, more.origin)
    ):
        return delivery
    if delivery.state is State.NONE:
        return more
    return replace(delivery, pages=(*delivery.pages, *more.pages))


def _own_keys(envelope: Envelope, keys: Iterable[PrefetchKey]) -> OwnKeys:
    """What was sent under the client's own keys."""
    if isinstance(envelope.prefetch, LazyPrefetch):
        return NO_OWN_KEYS  # it has only the service's own keys
    names = {key.name for key in keys}
    return own_keys(raw for name, raw in envelope.prefetch.items() if name not in names)
