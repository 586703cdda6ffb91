"""The resources of an export, each with the moment from which it was known.

An export shows each resource as it is today. A resource that does not say since when it was known
is a caveat.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import msgspec
from msgspec.structs import replace

from cds_service.core.facts import Kind
from cds_service.core.kinds import KINDS
from cds_service.fhir.intake.reports import may_have_results
from cds_service.fhir.values.elements import items, part, readable, status_words, text
from cds_service.fhir.values.moments import read_when

ENDED = frozenset(
    {"completed", "stopped", "cancelled", "revoked", "rejected", "aborted", "failed", "ended"}
)
"""Statuses that say that something was in force and no longer is."""
_WITHDRAWN = frozenset({"on-hold", "suspended", "entered-in-error"})
"""Statuses that may have followed an active one; only their own date says when."""
_REFUTED = frozenset({"entered-in-error", "refuted"})
_CHANGED = frozenset({"amended", "corrected"})
_REQUESTS = KINDS[Kind.MEDICATIONS].read.union(KINDS[Kind.ORDERS].types)
_UNDATED = "{} without a date: treated as known from the beginning"
_DAY_ONLY = "{} dated by the day only: treated as known from the end of that day"
_NO_ISSUED = "Observation without issued: treated as known when the sample was taken"
_ENDED_WHEN = "{} ended at an unknown time: treated as ended from the beginning"
_WITHDRAWN_WHEN = (
    "{} on hold or entered in error since an unknown time: treated as such from the beginning"
)
_REFUTED_WHEN = "{} entered in error or refuted at an unknown time: left out from the beginning"
_INACTIVE_WHEN = "Condition inactive since an unknown time: treated as inactive from the beginning"
_AMENDED = "Observation amended or corrected: its earlier versions are not in the export"
_UNCODED = "Observation without a code: recognised by its text only"


class _Local(tzinfo):
    """This machine's time zone, with summer time as it was at each date."""

    def utcoffset(self, dt: datetime | None, /) -> timedelta | None:
        return dt.replace(tzinfo=None).astimezone().utcoffset() if dt is not None else None

    def dst(self, dt: datetime | None, /) -> timedelta | None:
        return None

    def tzname(self, dt: datetime | None, /) -> str | None:
        return None


_LOCAL = _Local()


def when_of(value: object) -> datetime | None:
    """A time as `read_when` reads it; without an offset, in this machine's time zone."""
    when = read_when(value, _LOCAL)
    return when.astimezone(UTC) if when is not None and when.tzinfo is _LOCAL else when


class ResultDates(msgspec.Struct, frozen=True, gc=False):
    """The dates (as plain JSON), the status and the undecoded code of a result."""

    status: Any = None
    code: msgspec.Raw = msgspec.Raw(b"")
    effectiveDateTime: Any = None  # noqa: N815  # FHIR's names
    effectiveInstant: Any = None  # noqa: N815
    effectivePeriod: Any = None  # noqa: N815
    issued: Any = None


class Dates(ResultDates, frozen=True, gc=False):
    """The dates and statuses of any resource, as plain JSON."""

    recordedDate: Any = None  # noqa: N815
    assertedDate: Any = None  # noqa: N815
    onsetDateTime: Any = None  # noqa: N815
    onsetPeriod: Any = None  # noqa: N815
    authoredOn: Any = None  # noqa: N815
    dateAsserted: Any = None  # noqa: N815
    dateWritten: Any = None  # noqa: N815
    dateTime: Any = None  # noqa: N815
    orderedOn: Any = None  # noqa: N815
    sent: Any = None
    created: Any = None
    period: Any = None
    statusChanged: Any = None  # noqa: N815
    statusHistory: Any = None  # noqa: N815
    dispenseRequest: Any = None  # noqa: N815
    dosageInstruction: Any = None  # noqa: N815
    dosage: Any = None
    clinicalStatus: Any = None  # noqa: N815
    verificationStatus: Any = None  # noqa: N815
    abatementDateTime: Any = None  # noqa: N815
    abatementPeriod: Any = None  # noqa: N815
    abatementString: Any = None  # noqa: N815
    abatementBoolean: Any = None  # noqa: N815
    meta: Any = None


_dated = msgspec.json.Decoder(Dates)
# Most of an export is results: elements that they cannot have are not looked for.
_decoders = {"Observation": msgspec.json.Decoder(ResultDates)}
_RESULTS = frozenset({"Observation", "DiagnosticReport"})
_NOTHING = Dates()
# A Medication or Specimen counts only where something refers to it, whose own date counts.
_UNDATED_TYPES = frozenset({"Patient", "Medication", "Specimen"})


class DatedResource(msgspec.Struct, frozen=True):
    """One resource and its dates: ``known`` is None where it has no date, and ``ended`` where it
    has not ended, or the time is unknown. ``needed`` is False for a report that says nothing of a
    laboratory's results. ``earlier`` is the previous version, if the export has it.
    """

    type: str
    id: str
    url: str
    medication: str
    raw: bytes
    dated: Dates
    known: datetime | None = None
    ended: datetime | None = None
    needed: bool = True
    caveats: tuple[str, ...] = ()
    earlier: DatedResource | None = None

    def at(self, moment: datetime) -> DatedResource | None:
        """The newest version that was known at ``moment``; None where none was."""
        version: DatedResource | None = self
        while version is not None and version.known is not None and version.known > moment:
            version = version.earlier
        return version

    def as_draft(self) -> DatedResource:
        """The order as the draft that it once was."""
        data = object_of(self.raw)
        data["status"] = "draft"
        for key in ("statusReason", "statusChanged", "statusHistory", "_status"):
            data.pop(key, None)
        return changed(self, data)


def item_of(kind: str, name: str, url: str, medication: str, raw: bytes) -> DatedResource:
    """A resource with the moment from which it was known."""
    try:
        read: ResultDates = _decoders.get(kind, _dated).decode(raw)
    except (msgspec.DecodeError, RecursionError):
        read = _NOTHING
    coded = kind != "Observation" or b'"code"' in bytes(read.code)
    if kind == "Observation" and coded and read.status == "final":
        # Most of an export: both instants are stated, and there are no caveats.
        effective, issued = read.effectiveDateTime, read.issued
        if _stated_to_the_second(effective) and _stated_to_the_second(issued):
            sampled, released = when_of(effective), when_of(issued)
            if sampled is not None and released is not None:
                return DatedResource(
                    kind, name, url, medication, raw, _NOTHING, max(released, sampled)
                )
    dated = read if isinstance(read, Dates) else _NOTHING
    if kind in _UNDATED_TYPES:
        return DatedResource(kind, name, url, medication, raw, dated)
    needed = True
    if kind == "DiagnosticReport":
        report = readable(raw)
        needed = not isinstance(report, dict) or may_have_results(report)
    caveats: list[str] = [] if coded else [_UNCODED]
    known: datetime | None = None
    ended: datetime | None = None
    last: object = None
    for stated in _of_result(kind, read, caveats) if kind in _RESULTS else _known_from(kind, dated):
        when = when_of(stated)
        if when is not None and (known is None or when >= known):
            known, last = when, stated
    if known is None:
        if kind != "Encounter":  # it gets no call, and that is counted
            caveats.append(_UNDATED.format(kind))
    elif len(str(last)) == len("2026-11-23"):
        caveats.append(_DAY_ONLY.format(kind))
    if kind in _REQUESTS and not ENDED.isdisjoint(status_words(dated.status)):
        ended = _end(dated, known)
        if ended is None:
            caveats.append(_ENDED_WHEN.format(kind))
    elif kind in _REQUESTS and not _WITHDRAWN.isdisjoint(status_words(dated.status)):
        ended = _first_status_change(dated, _WITHDRAWN) or when_of(dated.statusChanged)
        if ended is None:
            caveats.append(_WITHDRAWN_WHEN.format(kind))
    elif kind == "Condition":
        ended = _abated(dated)
        if ended is None and is_inactive(dated):
            caveats.append(_INACTIVE_WHEN)
    words = status_words(read.status) + status_words(dated.verificationStatus)
    refuted = not _REFUTED.isdisjoint(words)
    if refuted and kind not in _REQUESTS and kind != "Encounter":
        caveats.append(_REFUTED_WHEN.format(kind))
    return DatedResource(
        kind, name, url, medication, raw, dated, known, ended, needed=needed, caveats=tuple(caveats)
    )


def _stated_to_the_second(value: object) -> bool:
    return isinstance(value, str) and len(value) > len("2026-11-23")


def _of_result(kind: str, result: ResultDates, caveats: list[str]) -> tuple[object, object]:
    """When the sample was taken and when the result was issued; the later one counts."""
    effective = (
        result.effectiveDateTime
        or result.effectiveInstant
        or part(result.effectivePeriod, "end")
        or part(result.effectivePeriod, "start")
    )
    if effective and not result.issued and kind == "Observation":
        caveats.append(_NO_ISSUED)
    if result.status != "final" and not _CHANGED.isdisjoint(status_words(result.status)):
        caveats.append(_AMENDED)
    return effective, result.issued


def _known_from(kind: str, resource: Dates) -> tuple[object]:
    """The date from which a resource was known."""
    if kind in ("Condition", "AllergyIntolerance"):
        onset = resource.onsetDateTime or part(resource.onsetPeriod, "start")
        return (resource.recordedDate or resource.assertedDate or onset,)
    if kind == "Encounter":
        return (part(resource.period, "start"),)
    if kind == "MedicationStatement":
        effective = resource.effectiveDateTime or part(resource.effectivePeriod, "start")
        return (resource.dateAsserted or effective,)
    return (order_date(resource),)


def order_date(order: Dates) -> object:
    """When an order of any type was written, as stated."""
    written = order.authoredOn or order.dateWritten or order.dateTime or order.orderedOn
    return written or order.sent or order.created


def _end(resource: Dates, since: datetime | None) -> datetime | None:
    """When something stopped being in force; None where that is unknown."""
    if (
        when := _first_status_change(resource, ENDED) or when_of(resource.statusChanged)
    ) is not None:
        return when
    stated = [part(resource.effectivePeriod, "end")]
    for dose in [*items(resource.dosageInstruction), *items(resource.dosage)]:
        stated.append(part(dose, "timing", "repeat", "boundsPeriod", "end"))
    stated.append(part(resource.dispenseRequest, "validityPeriod", "end"))
    # The status was set no later than the last change of the resource.
    changed = when_of(part(resource.meta, "lastUpdated"))
    for value in stated:
        if (when := when_of(value)) is not None:
            return when if changed is None else min(when, changed)
    if changed is not None and since is not None and changed <= since + timedelta(minutes=1):
        return changed
    return None


def _first_status_change(resource: Dates, statuses: frozenset[str]) -> datetime | None:
    """When the history of a resource says that it first had one of the statuses."""
    return min(
        (
            when
            for entry in items(resource.statusHistory)
            if not statuses.isdisjoint(status_words(part(entry, "status")))
            and (when := when_of(part(entry, "period", "start")))
        ),
        default=None,
    )


def _abated(condition: Dates) -> datetime | None:
    return when_of(condition.abatementDateTime or part(condition.abatementPeriod, "start"))


def is_inactive(condition: Dates) -> bool:
    """Whether the clinical status of a condition is one of the inactive ones."""
    return not {"inactive", "resolved", "remission"}.isdisjoint(
        status_words(condition.clinicalStatus)
    )


def object_of(raw: bytes) -> dict[str, Any]:
    """A resource as an object; empty where it is something else."""
    data = json.loads(raw)
    return data if isinstance(data, dict) else {}


def changed(item: DatedResource, data: dict[str, Any]) -> DatedResource:
    """The same item with other content."""
    raw = json.dumps(data, ensure_ascii=False).encode()
    return replace(item, raw=raw, dated=_dated.decode(raw))


def moments_of(value: object) -> datetime | None:
    """A start as a moment in this machine's time zone; a date counts as noon."""
    stated = text(value)
    if len(stated) == len("2026-11-23"):
        stated += "T12:00:00"
    when = when_of(stated)
    return None if when is None else when.astimezone()


def items_of(rows: Iterable[Any]) -> list[DatedResource]:
    """The newest version of each type and id, with the earlier versions linked from it.

    ``rows`` have the columns `RESOURCES` and are sorted by type, id and change.
    """
    newest: dict[tuple[str, str], DatedResource] = {}
    unnamed: list[DatedResource] = []
    for _, kind, name, _, _, url, medication, raw in rows:
        item = item_of(kind, name, url, medication, raw)
        if name:
            if (before := newest.get((kind, name))) is not None:
                kept = tuple(caveat for caveat in item.caveats if caveat != _AMENDED)
                item = replace(item, earlier=before, caveats=kept)
            newest[kind, name] = item
        else:
            unnamed.append(item)
    return [*newest.values(), *unnamed]
