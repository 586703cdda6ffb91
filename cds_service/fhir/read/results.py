"""Observations: which results there are; their values are read when a rule asks.

Every Observation is peeked at (code, status, date, subject). Sources: FHIR R4 Observation;
clinical content, section 3 ("Reading data").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from msgspec import UNSET

from cds_service.core.facts import Condition, Kind, PerformedPanel, Problem
from cds_service.core.observing import ObservedCondition
from cds_service.core.series import Series
from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.intake.entries import Entry, ObservationPage
from cds_service.fhir.intake.recovery import recover
from cds_service.fhir.read.acceptance import COUNTS, WITHDRAWN, Acceptance
from cds_service.fhir.read.codebook import NOTHING, OTHER_SPECIMEN, TOO_MUCH, UNREAD, Codebook
from cds_service.fhir.read.grouping import Grouping
from cds_service.fhir.read.opening import DatedRow, Opener, Row, source_of
from cds_service.fhir.read.stated import StatedCondition
from cds_service.fhir.read.subjects import Subjects
from cds_service.fhir.read.superseding import current
from cds_service.fhir.read.unread_reports import UnreadReports
from cds_service.fhir.values.elements import UNREADABLE, items, part, readable
from cds_service.fhir.values.moments import Moment, read_moment, read_when, why_undated
from cds_service.fhir.values.peeks import Missing, Peek, read_peek


class Results:
    """All Observations of one call: results by analyte (``series``), panels that were ``performed``
    and conditions (``stated_conditions``).

    ``age`` is the patient's age in years, because laboratories give ranges by age.
    """

    def __init__(
        self,
        intake: Intake,
        book: Codebook,
        subjects: Subjects,
        as_of: datetime,
        age: int | None = None,
    ) -> None:
        self._intake = intake
        self._book = book
        self._subjects = subjects
        self._as_of = as_of
        self._opener = Opener(as_of, age)
        self._rows: list[Row] = []
        self._acceptance = acceptance = Acceptance(intake, book, self._opener)
        self._grouping = Grouping(acceptance, intake, book, subjects, self._rows)
        self._dated: defaultdict[str, list[DatedRow]] = defaultdict(list)
        self._undated: dict[str, list[Problem]] = {}
        self._statements: dict[ObservedCondition, StatedCondition] = {}
        self.refused = acceptance.refused
        self.accepted: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self.performed: list[PerformedPanel] = []
        for page in intake.pages:
            self._take(page.peeks, page)
        # Resources on a page that are not Observations are among the entries too.
        for entry in intake.all_of("Observation", "DiagnosticReport"):
            self._read_entry(entry)
        self._settle()
        self._place(self._rows)
        if reports := self._grouping.reports:
            UnreadReports(acceptance, intake, book, self._opener, self._dated).note(reports)
        self.series = {
            key: Series.of(
                self._dated.get(key, ()),
                partial(self._opener.candidate, book.analytes[key]),
                self._undated.get(key, ()),
            )
            for key in {**self._dated, **self._undated}
        }

    @property
    def stated_conditions(self) -> tuple[Condition, ...]:
        """The conditions that hold according to the newest statement about each."""
        return tuple(
            statement.condition
            for statement in self._statements.values()
            if statement.condition is not None
        )

    def raw(self, reference: str) -> bytes | None:
        """The undecoded Observation behind a result's source."""
        row = self._opener.rows_used.get(reference)
        return None if row is None else bytes(row.undecoded())

    # --- choosing --------------------------------------------------------------------

    def _read_entry(self, entry: Entry) -> None:
        try:
            peek = read_peek(entry.raw)
        except UNREADABLE:
            try:
                peek = recover(entry.raw, entry.type)
            except UNREADABLE:
                reason = "it cannot be read"
                self._intake.problem("unreadable", entry.kind.value, reason, entry.source)
                return
        peek.resourceType = entry.type  # whatever its capitals
        self._take([peek], entry)

    def _take(self, peeks: Sequence[Peek], where: ObservationPage | Entry) -> None:
        """Keep the Observations that are this patient's and that a rule may read."""
        refusal_by, meaning_of = self._subjects.refusal_by, self._book.meanings()
        acceptance, grouping = self._acceptance, self._grouping
        rows, kept = self._rows, 0
        for index, peek in enumerate(peeks):
            if peek.resourceType != "Observation":
                if isinstance(where, Entry):
                    grouping.take_report(peek, where, index)
                continue
            subject, code, status = peek.subject, peek.code, peek.status
            if subject is not UNSET:
                refusal = refusal_by(bytes(subject))
                if refusal:
                    acceptance.refuse(where.kind, refusal, source_of(where, index))
                    continue
            if peek.focus is not UNSET:
                refusal = self._subjects.refusal_for(readable(peek.focus))
                if refusal:
                    acceptance.refuse(where.kind, refusal, source_of(where, index))
                    continue
            kept += 1
            meaning = UNREAD if code is UNSET else meaning_of(bytes(code))
            if (
                (peek.specimen is not UNSET or peek.bodySite is not UNSET)
                and meaning.observed is None  # a test for a condition may use urine
                and acceptance.not_blood_by_specimen(peek)
            ):
                grouping.take(peek, meaning, where, index, other_specimen=True)
                continue
            if peek.component is not UNSET or peek.contained is not UNSET:
                grouping.take(peek, meaning, where, index)
                continue
            if meaning.by_words:
                meaning = acceptance.checked_by_unit(peek, meaning, where, index)
            if status == WITHDRAWN:
                pass  # it withdraws others, whatever its own code says
            elif meaning is NOTHING or meaning is OTHER_SPECIMEN:
                continue
            elif meaning is UNREAD:
                acceptance.unnamed(where, index)
                continue
            elif meaning is TOO_MUCH:
                acceptance.too_much(where, source_of(where, index))
                continue
            if (status == "final" and peek.modifierExtension is UNSET) or acceptance.usable(
                peek, meaning, where, index
            ):
                rows.append(Row(peek, meaning, where, index))
        self.accepted[where.kind] += kept

    def _settle(self) -> None:
        """Leave out superseded versions; mostly there are none."""
        ids = {row.peek.id for row in self._rows}
        if len(ids) < len(self._rows) or any(row.peek.status != "final" for row in self._rows):
            self._rows = current(self._rows)
        if inner := self._grouping.inner:
            kept = {id(row) for row in self._rows}
            self._rows += [row for row in inner if id(row.parent) in kept]

    # --- placing in time -------------------------------------------------------------

    def _place(self, rows: Iterable[Row]) -> None:
        opener, dated = self._opener, self._dated
        for row in rows:
            peek, meaning = row.peek, row.meaning
            if peek.status not in COUNTS:
                continue
            stated = peek.effectiveDateTime
            if stated is None:
                stated = opener.effective_time(peek)
            when = read_when(stated, opener.zone)
            if meaning.observed is not None:
                self._take_statement(meaning.observed, row, read_moment(stated, opener.zone))
            if meaning.panels and peek.status != "preliminary":
                self._take_panel(row, read_moment(stated, opener.zone))
            for analyte in meaning.analytes:
                if when is None:
                    reason = why_undated(peek.effectiveDateTime or peek.effectiveInstant)
                    problem = opener.misdated("undated", reason, row, analyte)
                    self._undated.setdefault(analyte.key, []).append(problem)
                else:
                    dated[analyte.key].append(DatedRow(when, row))

    def _take_panel(self, row: Row, moment: Moment | None) -> None:
        if moment is not None and not moment.after(self._as_of) and _was_performed(row.peek):
            source = self._opener.use(row)
            self.performed.append(PerformedPanel(row.meaning.panels, moment.day, source))

    def _take_statement(self, observed: ObservedCondition, row: Row, moment: Moment | None) -> None:
        if row.peek.status == "preliminary":
            return
        kind = reason = ""
        if moment is None:
            kind, reason = "undated", "it has no usable date"
        elif moment.after(self._as_of):
            kind, reason = "future", "its date is in the future"
        else:
            whole = readable(row.undecoded())
            source = self._opener.use(row)
            due = part(whole, "valueDateTime")
            value = part(whole, "valueCodeableConcept") or part(whole, "valueString")
            stated = self._statements.get(observed)
            if stated is None:
                stated = self._statements[observed] = StatedCondition(observed, self._as_of)
            if due is not None:
                understood = stated.take_due(due, moment, source)
            else:
                understood = stated.take(value, moment, source)
            if not understood:
                kind, reason = "no-value", "it has no known answer"
        if kind:
            self._intake.problem(kind, observed.key, reason, row.source)


def _was_performed(peek: Peek) -> bool:
    """Whether any part of a panel was done: it refers to a member, or a part has a value."""
    if not isinstance(peek.dataAbsentReason, Missing) and bytes(peek.dataAbsentReason) != b"null":
        return False
    if any(part(member, "reference") for member in items(readable(peek.hasMember))):
        return True
    if any(
        part(component, "valueQuantity", "value") is not None
        and part(component, "dataAbsentReason") is None
        for component in items(readable(peek.component))
    ):
        return True
    return any(
        part(resource, "valueQuantity", "value") is not None
        for resource in items(readable(peek.contained))
    )
