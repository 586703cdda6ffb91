"""Observations: which results there are, and what the chosen ones say.

Every Observation is peeked at (code, status, date, subject); the value is read when a rule
asks for it. Sources: FHIR R4 Observation; clinical content, section 3 ("Reading data").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from msgspec import UNSET, Raw

from cds_service.core.analytes import Analyte
from cds_service.core.codes import Coding
from cds_service.core.facts import Condition, Kind, Presence, Problem, Result, Source
from cds_service.core.series import Candidate, Series
from cds_service.core.vocabulary import Vocabulary
from cds_service.fhir.bundles import Entry, Intake, ObservationPage
from cds_service.fhir.elements import (
    UNREADABLE,
    all_words,
    codings,
    decoded,
    identifier_of,
    label,
    part,
    reference,
    text,
)
from cds_service.fhir.moments import Moment, read_moment, why_undated, zone_of
from cds_service.fhir.observed import Reading, read_value
from cds_service.fhir.peeks import (
    Coded,
    Concept,
    Key,
    Meta,
    Missing,
    Peek,
    Pointer,
    Span,
    read_members,
    read_peek,
)
from cds_service.fhir.subjects import Subjects, refusal_of
from cds_service.fhir.superseding import Version, current

_DECIDES = frozenset({"final", "amended", "corrected"})
_COUNTS = _DECIDES | {"preliminary"}
_SILENT = frozenset({"registered", "cancelled", "entered-in-error", "unknown"})
_WITHDRAWN = "entered-in-error"
_PREGNANCY = "pregnancy_status"
_PREGNANT_CODES = frozenset({"77386006", "LA15173-0"})
_PREGNANT_WORDS = frozenset({"pregnant", "positive", "yes", "pregnancy", "currently pregnant"})
_NOT_KNOWN_CODES = frozenset({"LA4489-6", "UNK", "unknown", "261665006"})
_PREGNANCY_LASTS = timedelta(days=294)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code of an Observation stands for here."""

    analytes: tuple[Analyte, ...] = ()
    method: str = ""
    pregnancy: bool = False

    @property
    def about(self) -> str:
        """The word for problems."""
        return self.analytes[0].key if self.analytes else _PREGNANCY


_NOTHING = Meaning()


@dataclass(frozen=True, slots=True)
class Codebook:
    """The meaning of Observation codes, looked up once each."""

    vocabulary: Vocabulary
    analytes: Mapping[str, Analyte]
    known: dict[Concept, Meaning] = field(default_factory=dict)

    def meaning(self, concept: Concept) -> Meaning:
        """What the code stands for; empty for what no rule reads."""
        found = self.known.get(concept)
        if found is None:
            coded = [
                Coding(one.system or "", one.code or "", one.display or "")
                for one in concept.coding or ()
            ]
            found = self._looked_up(coded, [concept.text] if concept.text else [])
            if len(self.known) > 20_000:  # a flood of free texts must not fill the memory
                self.known.clear()
            self.known[concept] = found
        return found

    def _looked_up(self, coded: Sequence[Coding], words: Sequence[str]) -> Meaning:
        concepts = self.vocabulary.concepts(coded, words)
        analytes = tuple(self.analytes[key] for key in sorted(concepts) if key in self.analytes)
        method = ""
        if "egfr" in concepts:
            method = "other"
            if "egfr_race_free_2021" in concepts:
                method = "race_free_2021"
            elif "egfr_race_coefficient" in concepts:
                method = "race_coefficient"
        pregnancy = _PREGNANCY in concepts
        return Meaning(analytes, method, pregnancy) if analytes or pregnancy else _NOTHING


class _Row(Version):
    """A relevant Observation of this patient."""

    __slots__ = ("meaning", "peek", "source", "whole")

    def __init__(
        self,
        peek: Peek,
        meaning: Meaning,
        source: Source,
        whole: Callable[[], bytes | Raw],
    ) -> None:
        self.peek = peek
        self.meaning = meaning
        self.source = source
        self.whole = whole
        topic = "" if meaning is _NOTHING else meaning.about
        identifiers = peek.identifier or ()
        super().__init__(
            id=peek.id or "",
            status=peek.status or "",
            topic=topic,
            identifiers=identifiers,
            meta=peek.meta,
            content=peek,
        )


class Results:
    """All Observations of one call, as series of candidates by analyte."""

    def __init__(self, intake: Intake, book: Codebook, subjects: Subjects, as_of: datetime) -> None:
        self._intake = intake
        self._book = book
        self._subjects = subjects
        self._as_of = as_of
        self._zone = zone_of(as_of)
        self._rows: list[_Row] = []
        self._candidates: dict[str, list[Candidate]] = {}
        self._undated: dict[str, list[Problem]] = {}
        self.refused: dict[Kind, int] = {}
        self.kept: dict[Kind, int] = {}
        self.pregnancy: Condition | None = None
        self._pregnancy_seen: datetime | None = None
        for page in intake.pages:
            self._read_page(page)
        for entry in intake.all_of("Observation"):
            self._read_entry(entry)
        for row in current(self._rows):
            self._place(row)
        self.series = {
            key: Series(self._candidates.get(key, ()), self._undated.get(key, ()))
            for key in {**self._candidates, **self._undated}
        }

    def raw(self) -> dict[str, Callable[[], bytes | Raw]]:
        """The undecoded Observations that candidates were made of, by reference."""
        return {row.source.reference: row.whole for row in self._rows}

    # --- choosing --------------------------------------------------------------------

    def _read_page(self, page: ObservationPage) -> None:
        for index, peek in enumerate(page.peeks):
            if peek.resourceType != "Observation":
                continue
            meaning = self._book.meaning(peek.code) if peek.code is not None else None
            if meaning is _NOTHING and peek.status != _WITHDRAWN:
                target = peek.subject.reference if peek.subject is not None else None
                if target is None or self._subjects.is_mine(target):
                    continue
            reference_ = f"Observation/{peek.id}" if peek.id else f"{page.place} entry[{index}]"
            source = Source(reference_, page.origin)
            self._keep(peek, meaning, source, partial(_resource_of, page, index), page.kind)

    def _read_entry(self, entry: Entry) -> None:
        try:
            peek = read_peek(entry.raw)
            subject_flaw = False
        except UNREADABLE:
            try:
                peek, subject_flaw = _recovered(entry.raw)
            except UNREADABLE:
                self._problem("unreadable", entry.kind.value, "it cannot be read", entry.source)
                return
        if subject_flaw:
            self._refuse(entry.kind, "whose it is cannot be read", entry.source)
            return
        meaning = self._book.meaning(peek.code) if peek.code is not None else None
        self._keep(peek, meaning, entry.source, lambda: entry.raw, entry.kind)

    def _keep(
        self,
        peek: Peek,
        meaning: Meaning | None,
        source: Source,
        whole: Callable[[], bytes | Raw],
        kind: Kind,
    ) -> None:
        target = peek.subject.reference if peek.subject is not None else None
        if target and not self._subjects.is_mine(target):
            self._refuse(kind, refusal_of(target), source)
            return
        self.kept[kind] = self.kept.get(kind, 0) + 1
        if meaning is None:
            if peek.status != _WITHDRAWN:
                self._problem("unreadable", kind.value, "it has no code", source)
                return
            meaning = _NOTHING
        if meaning is _NOTHING and peek.status != _WITHDRAWN:
            return
        if peek.status not in _COUNTS and peek.status not in _SILENT:
            reason = "its status is missing" if not peek.status else "its status is not known"
            self._problem("no-status", meaning.about, reason, source)
            return
        self._rows.append(_Row(peek, meaning, source, whole))

    def _refuse(self, kind: Kind, reason: str, source: Source) -> None:
        self.refused[kind] = self.refused.get(kind, 0) + 1
        self._problem("wrong-patient", kind.value, reason, source)

    def _problem(self, kind: str, about: str, reason: str, source: Source) -> None:
        self._intake.problem(kind, about, reason, source)

    # --- placing in time -------------------------------------------------------------

    def _place(self, row: _Row) -> None:
        peek = row.peek
        if peek.status not in _COUNTS:
            return
        moment = self._moment(peek)
        if row.meaning.pregnancy:
            self._pregnant(row, moment)
        for analyte in row.meaning.analytes:
            key = analyte.key
            if moment is None:
                reason = why_undated(peek.effectiveDateTime or peek.effectiveInstant)
                problem = Problem("undated", key, reason, row.source)
                self._undated.setdefault(key, []).append(problem)
                continue
            if moment.after(self._as_of):
                reason = "its date lies in the future"
                read: Callable[[], Result | Problem] = partial(
                    Problem, "future", key, reason, row.source, moment.when
                )
            else:
                reading = Reading(
                    analyte, moment, row.source, peek.status == "preliminary", row.meaning.method
                )
                read = partial(read_value, peek, row.whole, reading)
            candidate = Candidate(moment.when, moment.day, moment.day_only, read)
            self._candidates.setdefault(key, []).append(candidate)

    def _moment(self, peek: Peek) -> Moment | None:
        if peek.effectiveDateTime is not None:
            return read_moment(peek.effectiveDateTime, self._zone)
        if peek.effectivePeriod is not None:
            period = peek.effectivePeriod
            return read_moment(period.end, self._zone) or read_moment(period.start, self._zone)
        if peek.effectiveInstant is not None:
            return read_moment(peek.effectiveInstant, self._zone)
        return None

    def _pregnant(self, row: _Row, moment: Moment | None) -> None:
        """Keep what the newest usable statement about pregnancy says."""
        if row.peek.status not in _DECIDES:
            return
        if moment is None or moment.after(self._as_of):
            reason = "its date lies in the future" if moment else "it has no usable date"
            kind = "future" if moment else "undated"
            self._problem(kind, _PREGNANCY, reason, row.source)
            return
        try:
            value = part(decoded(row.whole()), "valueCodeableConcept")
        except UNREADABLE:
            value = None
        codes = {coding.code for coding in codings(value)}
        words = {word.lower().strip(" .") for word in all_words(value)}
        if not codes and not words:
            self._problem("no-value", _PREGNANCY, "it has no coded value", row.source)
            return
        if codes & _NOT_KNOWN_CODES or words & {"unknown", "possible"}:
            return
        if self._pregnancy_seen is not None and moment.when < self._pregnancy_seen:
            return
        yes = bool(codes & _PREGNANT_CODES or words & _PREGNANT_WORDS)
        if self._pregnancy_seen == moment.when and self.pregnancy is not None and not yes:
            return  # at the same moment the statement that asks for more care counts
        self._pregnancy_seen = moment.when
        self.pregnancy = None
        if yes and moment.when >= self._as_of - _PREGNANCY_LASTS:
            name = f"Pregnancy status: {label(value)}"
            self.pregnancy = Condition(
                concepts=frozenset({"pregnancy"}),
                name=name,
                presence=Presence.ACTIVE,
                source=row.source,
                words=name.lower(),
                day=moment.day,
            )


def _resource_of(page: ObservationPage, index: int) -> bytes | Raw:
    resource = page.entry(index).resource
    assert not isinstance(resource, Missing)  # it was peeked at
    return resource


def _recovered(raw: bytes | Raw) -> tuple[Peek, bool]:
    """What can be read of an Observation member by member; True where the subject cannot."""
    members = read_members(raw)
    peek = Peek(
        resourceType="Observation",
        valueQuantity=members.get("valueQuantity", UNSET),
        referenceRange=members.get("referenceRange", UNSET),
        dataAbsentReason=members.get("dataAbsentReason", UNSET),
    )

    def member(name: str) -> object:
        try:
            return decoded(members[name]) if name in members else None
        except UNREADABLE:
            return None

    peek.id = identifier_of({"id": member("id")}) or None
    peek.status = text(member("status")) or None
    code = member("code")
    found = codings(code)
    words = text(part(code, "text")) or (text(code) if isinstance(code, str) else "")
    if found or words:
        coded = tuple(Coded(one.system, one.code, one.display) for one in found)
        peek.code = Concept(coded, words or None)
    peek.effectiveDateTime = text(member("effectiveDateTime")) or None
    if peek.effectiveDateTime is None and "effectiveDateTime" in members:
        peek.effectiveDateTime = "unreadable"
    period = member("effectivePeriod")
    if isinstance(period, dict):
        peek.effectivePeriod = Span(text(period.get("start")), text(period.get("end")))
    peek.effectiveInstant = text(member("effectiveInstant")) or None
    meta = member("meta")
    if isinstance(meta, dict):
        peek.meta = Meta(text(meta.get("lastUpdated")) or None, text(meta.get("versionId")) or None)
    identifiers = member("identifier")
    keys = [
        Key(text(part(one, "system")), text(part(one, "value")))
        for one in (identifiers if isinstance(identifiers, list) else [identifiers])
    ]
    peek.identifier = tuple(key for key in keys if key.value)
    if "subject" in members:
        subject = member("subject")
        target = reference(subject)
        peek.subject = Pointer(target or None)
        nameless = isinstance(subject, dict) and subject.get("reference") is None
        return peek, not target and not nameless
    return peek, False
