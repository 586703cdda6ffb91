"""Results inside others: components, contained Observations, and those inside a report.

Each is a result itself and takes its parent's time, status, subject and specimen. Source: FHIR R4
Observation ("Observation Grouping").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET, Raw
from msgspec.structs import replace

from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.intake.entries import Entry, ObservationPage
from cds_service.fhir.intake.recovery import recover
from cds_service.fhir.read.acceptance import SILENT, WITHDRAWN, Acceptance
from cds_service.fhir.read.codebook import (
    NOTHING,
    OTHER_SPECIMEN,
    TOO_MUCH,
    UNREAD,
    Codebook,
    Meaning,
)
from cds_service.fhir.read.opening import Row, source_of
from cds_service.fhir.read.subjects import Subjects
from cds_service.fhir.values.elements import MODIFIED, UNREADABLE, modified, readable
from cds_service.fhir.values.peeks import (
    Missing,
    Peek,
    read_component,
    read_head,
    read_items,
    read_peek,
)

_DEEPEST = 3  # components inside components


class Grouping:
    """Takes Observations and reports that have results in them.

    ``rows`` receives those that count. ``inner`` are the results in them, which count only if
    their parent does; ``reports`` are the reports without results.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        intake: Intake,
        book: Codebook,
        subjects: Subjects,
        rows: list[Row],
    ) -> None:
        self._acceptance = acceptance
        self._intake = intake
        self._book = book
        self._subjects = subjects
        self._rows = rows
        self.inner: list[Row] = []
        self.reports: list[Row] = []

    def take(
        self,
        peek: Peek,
        meaning: Meaning,
        where: ObservationPage | Entry,
        index: int,
        other_specimen: bool = False,
    ) -> None:
        """An Observation with components or contained results, each of which is a result itself.

        They take their parent's time, status, subject and specimen (``other_specimen``: not blood).
        The parent counts too if its own code says something.
        """
        if meaning is TOO_MUCH:
            self._acceptance.too_much(where, source_of(where, index))
        if meaning.by_words and not other_specimen and not meaning.other_specimen:
            meaning = self._acceptance.checked_by_unit(peek, meaning, where, index)
        unread = meaning is UNREAD or meaning is TOO_MUCH
        other_specimen = other_specimen or meaning.other_specimen
        parent = Row(peek, NOTHING if unread else meaning, where, index)
        rows = list(self._components(parent)) + list(self._contained(parent))
        if peek.status == WITHDRAWN:
            self._rows.append(parent)  # it withdraws others with its id
            return
        if other_specimen:
            for row in (parent, *rows):
                self._acceptance.other_specimen(row.peek, row.meaning, where, index)
            return
        counts = meaning is not NOTHING and not unread
        if counts and peek.valueQuantity is UNSET:
            inside = {analyte.key for row in rows for analyte in row.meaning.analytes}
            analytes = tuple(analyte for analyte in meaning.analytes if analyte.key not in inside)
            meaning = meaning.only(analytes)
            parent = replace(parent, meaning=meaning)
            rows = [replace(row, parent=parent) for row in rows]
            counts = bool(analytes or meaning.panels or meaning.observed)
        if not rows and not counts:
            if meaning is UNREAD and peek.valueQuantity is not UNSET:
                self._acceptance.unnamed(where, index)
            return
        about = meaning if counts else rows[0].meaning
        if self._acceptance.usable(peek, about, where, index):
            self._rows.append(parent)
            self.inner.extend(rows)

    def take_report(self, peek: Peek, where: ObservationPage | Entry, index: int) -> None:
        """A DiagnosticReport with the results contained in it."""
        if peek.status == "partial":
            peek.status = "preliminary"
        elif peek.status == "appended":
            peek.status = "final"
        if not isinstance(peek.subject, Missing):
            refusal = self._subjects.refusal_by(bytes(peek.subject))
            if refusal:
                self._acceptance.refuse(where.kind, refusal, source_of(where, index))
                return
        parent = Row(peek, NOTHING, where, index)
        rows = list(self._of_blood(self._contained(parent), peek, parent))
        if peek.status == WITHDRAWN:
            self._rows.append(parent)
        elif rows:
            if self._acceptance.usable(peek, rows[0].meaning, where, index):
                self._rows.append(parent)
                self.inner.extend(rows)
        elif peek.status not in SILENT:
            self.reports.append(parent)

    def _components(self, parent: Row, depth: int = 0) -> Iterator[Row]:
        for raw in self._items(parent.peek.component, "its components cannot be read", parent):
            try:
                component = read_component(raw)
            except UNREADABLE:
                if b"code" in bytes(raw):  # else it names no analyte
                    self._cannot_read("its components cannot be read", parent)
                continue
            peek = replace(
                parent.peek,
                code=component.code,
                identifier=UNSET,
                component=UNSET,
                contained=UNSET,
                valueQuantity=component.valueQuantity,
                referenceRange=component.referenceRange,
                dataAbsentReason=component.dataAbsentReason,
                interpretation=component.interpretation,
                modifierExtension=component.modifierExtension,
            )
            row = self._inside(peek, parent, raw)
            changed = modified(component.modifierExtension) and peek.status not in SILENT
            if row is not None and changed:
                self._acceptance.unusable(
                    "modified", MODIFIED, peek, row.meaning.about, parent.source
                )
            elif row is not None:
                yield row
            if component.component is not UNSET:
                yield from self._nested(replace(peek, component=component.component), parent, depth)

    def _nested(self, peek: Peek, parent: Row, depth: int) -> Iterator[Row]:
        """The results inside a component. FHIR does not allow them; they are read if present."""
        if depth >= _DEEPEST:
            reason = "its components are nested too deeply to be read"
            self._intake.problem("unreadable", parent.where.kind.value, reason, parent.source)
            return
        rows = self._components(Row(peek, NOTHING, parent.where, parent.index), depth + 1)
        yield from self._of_blood(rows, peek, parent)

    def _contained(self, parent: Row) -> Iterator[Row]:
        unreadable = "what is contained in it cannot be read"
        for raw in self._items(parent.peek.contained, unreadable, parent):
            try:
                peek = read_peek(raw)
            except UNREADABLE:
                try:
                    if read_head(raw).resourceType != "Observation":
                        continue
                    peek = recover(raw)
                except UNREADABLE:
                    continue
            if peek.resourceType != "Observation":
                if b'"Observation"' in bytes(raw) and b'"resourceType"' in bytes(raw)[20:]:
                    self._cannot_read(unreadable, parent)  # a Bundle, or another report
                continue
            outer = parent.peek
            own = (peek.effectiveDateTime, peek.effectiveInstant)
            if own == (None, None) and peek.effectivePeriod is UNSET:
                peek.effectiveDateTime = outer.effectiveDateTime
                peek.effectivePeriod = outer.effectivePeriod
                peek.effectiveInstant = outer.effectiveInstant
            peek.status = _less_certain(peek.status, outer.status)
            refusal = (
                "" if peek.subject is UNSET else self._subjects.refusal_by(bytes(peek.subject))
            )
            if not refusal and peek.focus is not UNSET:
                refusal = self._subjects.refusal_for(readable(peek.focus))
            if refusal:
                self._acceptance.refuse(parent.where.kind, refusal, parent.source)
                continue
            row = self._inside(peek, parent, raw)
            rows = [] if row is None else [row]
            if peek.component is not UNSET:
                rows += self._components(Row(peek, NOTHING, parent.where, parent.index))
            for result in self._of_blood(rows, peek, parent):
                if self._acceptance.usable(peek, result.meaning, parent.where, parent.index):
                    yield result

    def _of_blood(self, rows: Iterable[Row], holder: Peek, parent: Row) -> Iterator[Row]:
        """The results inside ``holder``; none if its specimen is not blood.

        `Acceptance.other_specimen` notes those of another specimen.
        """
        code = holder.code
        other_specimen = False
        if holder.specimen is not UNSET or holder.bodySite is not UNSET:
            # A contained specimen is a sibling of the results, not inside one of them.
            siblings = holder.contained if holder.contained is not UNSET else parent.peek.contained
            seen = replace(holder, contained=siblings)
            other_specimen = self._acceptance.not_blood_by_specimen(seen)
            holder.comment = seen.comment  # what is said of the sample
        if not other_specimen and not isinstance(code, Missing):
            other_specimen = self._book.meaning(bytes(code)).other_specimen
        for row in rows:
            if other_specimen:
                self._acceptance.other_specimen(row.peek, row.meaning, parent.where, parent.index)
            else:
                yield row if row.parent is parent else replace(row, parent=parent)

    def _inside(self, peek: Peek, parent: Row, raw: Raw) -> Row | None:
        """The row of a result inside ``parent``; None if no rule reads it."""
        code = peek.code
        meaning = UNREAD if isinstance(code, Missing) else self._book.meaning(bytes(code))
        if meaning.by_words:
            meaning = self._acceptance.checked_by_unit(peek, meaning, parent.where, parent.index)
        if meaning is UNREAD and peek.valueQuantity is not UNSET and peek.status not in SILENT:
            reason = "a result in it has no code that can be read"
            self._intake.problem("unreadable", parent.where.kind.value, reason, parent.source)
        if meaning is TOO_MUCH:
            self._acceptance.too_much(parent.where, parent.source)
        if meaning in (NOTHING, OTHER_SPECIMEN, UNREAD, TOO_MUCH):
            return None
        return Row(peek, meaning, parent.where, parent.index, parent=parent, inner=Raw(bytes(raw)))

    def _items(self, raw: Raw | Missing, unreadable: str, parent: Row) -> Sequence[Raw]:
        """The undecoded items of a list inside a result; notes a problem if it cannot be read."""
        if isinstance(raw, Missing):
            return ()
        try:
            return read_items(raw)
        except UNREADABLE:
            if bytes(raw) != b"null":
                self._cannot_read(unreadable, parent)
            return ()

    def _cannot_read(self, reason: str, parent: Row) -> None:
        """Note that a part of a result or report cannot be read."""
        if parent.peek.status not in SILENT:
            kind = parent.where.kind.value
            self._intake.problem("unreadable", kind, reason, parent.source)


def _less_certain(own: str | None, parents: str | None) -> str | None:
    """The status of a result inside another resource: the less certain of the two."""
    if parents in SILENT and own != WITHDRAWN:
        return parents
    return parents if own is None or (parents == "preliminary" and own != WITHDRAWN) else own
