"""Observations: which results there are; their values are read when a rule asks.

Every Observation is peeked at (code, status, date, subject). Sources: FHIR R4 Observation;
clinical content, section 3 ("Reading data").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import UNSET, Raw
from msgspec.structs import replace

from cds_service.core.facts import Condition, Kind, Performed, Problem, Source
from cds_service.core.observing import ObservedCondition
from cds_service.core.series import Series
from cds_service.fhir.intake.bundles import Entry, Intake, ObservationPage
from cds_service.fhir.intake.recovery import recovered
from cds_service.fhir.intake.reports import conclusions, may_name_any, of_laboratory
from cds_service.fhir.read.codebook import (
    ELSEWHERE,
    NOTHING,
    TOO_MUCH,
    UNREAD,
    Codebook,
    Meaning,
)
from cds_service.fhir.read.opening import Opener, Row, source_of
from cds_service.fhir.read.remarks import is_critical
from cds_service.fhir.read.specimens import of_another_specimen, remark_of
from cds_service.fhir.read.stated import Stated
from cds_service.fhir.read.subjects import Subjects
from cds_service.fhir.read.superseding import current
from cds_service.fhir.values.elements import (
    MODIFIED,
    UNREADABLE,
    encoded,
    items,
    modified,
    part,
    readable,
    reference,
    text,
)
from cds_service.fhir.values.moments import (
    Moment,
    read_moment,
    read_when,
    why_undated,
)
from cds_service.fhir.values.peeks import (
    Missing,
    Peek,
    read_component,
    read_head,
    read_items,
    read_peek,
)
from cds_service.fhir.values.unit_spellings import plainer
from cds_service.terminology.call_texts import TooMuchTextError

_COUNTS = frozenset({"final", "amended", "corrected", "preliminary"})
_SILENT = frozenset({"registered", "cancelled", "entered-in-error"})
_WITHDRAWN = "entered-in-error"
_DEEPEST = 3  # components inside components
REPORTED = "a report says something about it in words or in a document, which is not read"


class Results:
    """All Observations of one call: ``series`` by analyte, panels ``performed``, ``stated``.

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
        self._inner: list[Row] = []
        self._specimens: dict[str, object] | None = None  # those sent, once they are needed
        self._reports: list[Row] = []  # those without results in them
        self._dated: defaultdict[str, list[Row]] = defaultdict(list)
        self._undated: dict[str, list[Problem]] = {}
        self._stated: dict[ObservedCondition, Stated] = {}
        self._left_unread: set[Kind] = set()
        self.refused: dict[Kind, int] = {}
        self.kept: dict[Kind, int] = dict.fromkeys(Kind, 0)
        self.performed: list[Performed] = []
        for page in intake.pages:
            self._take(page.peeks, page)
        # Resources on a page that are not Observations are among the entries too.
        for entry in intake.all_of("Observation", "DiagnosticReport"):
            self._read_entry(entry)
        self._settle()
        self._place(self._rows)
        if self._reports:
            self._report_unread()
        self.series = {
            key: Series.of(
                self._dated.get(key, ()),
                partial(self._opener.candidate, book.analytes[key]),
                self._undated.get(key, ()),
            )
            for key in {**self._dated, **self._undated}
        }

    @property
    def stated(self) -> tuple[Condition, ...]:
        """The conditions that hold according to the newest statement about each."""
        return tuple(one.condition for one in self._stated.values() if one.condition is not None)

    def raw(self, reference: str) -> bytes | None:
        """The undecoded Observation behind a result's source."""
        row = self._opener.used.get(reference)
        return None if row is None else bytes(row.whole())

    # --- choosing --------------------------------------------------------------------

    def _read_entry(self, entry: Entry) -> None:
        try:
            peek = read_peek(entry.raw)
        except UNREADABLE:
            try:
                peek = recovered(entry.raw, entry.type)
            except UNREADABLE:
                reason = "it cannot be read"
                self._intake.problem("unreadable", entry.kind.value, reason, entry.source)
                return
        peek.resourceType = entry.type  # whatever its capitals
        self._take([peek], entry)

    def _take(self, peeks: Sequence[Peek], where: ObservationPage | Entry) -> None:
        """Keep the Observations that are this patient's and that a rule may read."""
        refusal_by, meaning_of = self._subjects.refusal_by, self._book.meanings()
        rows, kept = self._rows, 0
        for index, peek in enumerate(peeks):
            if peek.resourceType != "Observation":
                if isinstance(where, Entry):
                    self._take_report(peek, where, index)
                continue
            subject, code, status = peek.subject, peek.code, peek.status
            if subject is not UNSET:
                refusal = refusal_by(bytes(subject))
                if refusal:
                    self._refuse(where.kind, refusal, source_of(where, index))
                    continue
            if peek.focus is not UNSET:
                refusal = self._subjects.refusal_for(readable(peek.focus))
                if refusal:
                    self._refuse(where.kind, refusal, source_of(where, index))
                    continue
            kept += 1
            meaning = UNREAD if code is UNSET else meaning_of(bytes(code))
            if (
                (peek.specimen is not UNSET or peek.bodySite is not UNSET)
                and meaning.observed is None  # a test for a condition may use urine
                and self._elsewhere_by_specimen(peek)
            ):
                self._take_inner(peek, meaning, where, index, elsewhere=True)
                continue
            if peek.component is not UNSET or peek.contained is not UNSET:
                self._take_inner(peek, meaning, where, index)
                continue
            if meaning.by_words:
                meaning = self._borne_out(peek, meaning, where, index)
            if status == _WITHDRAWN:
                pass  # it withdraws others, whatever its own code says
            elif meaning is NOTHING or meaning is ELSEWHERE:
                continue
            elif meaning is UNREAD:
                self._unnamed(where, index)
                continue
            elif meaning is TOO_MUCH:
                self._too_much(where, source_of(where, index))
                continue
            if (status == "final" and peek.modifierExtension is UNSET) or self._usable(
                peek, meaning, where, index
            ):
                rows.append(Row(peek, meaning, where, index))
        self.kept[where.kind] += kept

    def _elsewhere_by_specimen(self, peek: Peek) -> bool:
        """Whether the specimen is not blood. A remark on the specimen is added as a comment."""
        if self._specimens is None:
            self._specimens = {
                name: data
                for one in self._intake.all_of("Specimen")
                if isinstance(data := readable(one.raw), dict)
                for name in (one.source.reference, one.full_url)
            }
        if (remark := remark_of(peek, self._specimens)) and peek.comment is UNSET:
            peek.comment = Raw(encoded(remark))
        return of_another_specimen(peek, self._specimens)

    def _usable(
        self, peek: Peek, meaning: Meaning, where: ObservationPage | Entry, index: int
    ) -> bool:
        """Whether a result's status and meaning are known; notes a problem if they are not."""
        if peek.status in _SILENT:
            return True
        if peek.modifierExtension is not UNSET and modified(peek.modifierExtension):
            self._unusable("modified", MODIFIED, peek, meaning.about, source_of(where, index))
            return False
        if peek.status in _COUNTS:
            return True
        reason = "its status is not known" if peek.status else "its status is missing"
        self._unusable("no-status", reason, peek, meaning.about, source_of(where, index))
        return False

    def _unusable(self, kind: str, reason: str, peek: Peek, about: str, source: Source) -> None:
        when = read_when(self._opener.stated(peek), self._opener.zone)
        self._intake.problems.append(Problem(kind, about, reason, source, when, is_critical(peek)))

    def _unnamed(self, where: ObservationPage | Entry, index: int) -> None:
        reason = "it has no code that can be read"
        self._intake.problem("unreadable", where.kind.value, reason, source_of(where, index))

    def _borne_out(
        self, peek: Peek, meaning: Meaning, where: ObservationPage | Entry, index: int
    ) -> Meaning:
        """A meaning that rests on words alone, checked by the unit: `NOTHING` if they disagree.

        If a doubt remains the result may be one that a rule needs, so a problem is noted.
        """
        quantity = None if isinstance(peek.valueQuantity, Missing) else readable(peek.valueQuantity)
        stated = (text(part(quantity, "code")), text(part(quantity, "unit")))
        units = [spelling for one in stated if one for spelling in (one, plainer(one))]
        certain = meaning.kind == "other-quantity"  # whatever its unit
        # Without a unit, or with an unknown one, the words count, and a problem is noted.
        if not certain and units and not self._book.bears_out(meaning, units):
            return NOTHING if meaning.doubt or self._book.knows(units) else meaning
        if not meaning.doubt:
            return meaning
        if (units or certain) and peek.status not in _SILENT:
            source = source_of(where, index)
            for about in [one.key for one in meaning.analytes] or [where.kind.value]:
                self._unusable(meaning.kind, meaning.doubt, peek, about, source)
        return NOTHING

    def _elsewhere(
        self, peek: Peek, meaning: Meaning, where: ObservationPage | Entry, index: int
    ) -> None:
        """A result in urine or another fluid: not read, and a problem if its code says blood."""
        code = peek.code
        if peek.status in _SILENT or isinstance(code, Missing) or not meaning.analytes:
            return
        if self._book.of_blood(bytes(code)):
            reason = "its specimen is not the one that its code names"
            self._unusable("specimen", reason, peek, meaning.about, source_of(where, index))

    def _refuse(self, kind: Kind, reason: str, source: Source) -> None:
        self.refused[kind] = self.refused.get(kind, 0) + 1
        self._intake.problem("wrong-patient", kind.value, reason, source)

    # --- results inside others ------------------------------------------------------

    def _take_inner(
        self,
        peek: Peek,
        meaning: Meaning,
        where: ObservationPage | Entry,
        index: int,
        elsewhere: bool = False,
    ) -> None:
        """An Observation with components or contained results, each of which is a result itself.

        They take their parent's time, status, subject and specimen (``elsewhere``: not blood).
        The parent counts too if its own code says something.
        """
        if meaning is TOO_MUCH:
            self._too_much(where, source_of(where, index))
        if meaning.by_words and not elsewhere and not meaning.elsewhere:
            meaning = self._borne_out(peek, meaning, where, index)
        unread = meaning is UNREAD or meaning is TOO_MUCH
        elsewhere = elsewhere or meaning.elsewhere
        parent = Row(peek, NOTHING if unread else meaning, where, index)
        found = list(self._components(parent)) + list(self._contained(parent))
        if peek.status == _WITHDRAWN:
            self._rows.append(parent)  # it withdraws others with its id
            return
        if elsewhere:
            for row in (parent, *found):
                self._elsewhere(row.peek, row.meaning, where, index)
            return
        mine = meaning is not NOTHING and not unread
        if mine and peek.valueQuantity is UNSET:
            inside = {one.key for row in found for one in row.meaning.analytes}
            analytes = tuple(one for one in meaning.analytes if one.key not in inside)
            parent.meaning = meaning = meaning.only(analytes)
            mine = bool(analytes or meaning.panels or meaning.observed)
        if not found and not mine:
            if meaning is UNREAD and peek.valueQuantity is not UNSET:
                self._unnamed(where, index)
            return
        about = meaning if mine else found[0].meaning
        if self._usable(peek, about, where, index):
            self._rows.append(parent)
            self._inner.extend(found)

    def _too_much(self, where: ObservationPage | Entry, source: Source) -> None:
        """Note, once for each kind of data, that not all of its texts were read."""
        if where.kind not in self._left_unread:
            self._left_unread.add(where.kind)
            reason = TooMuchTextError.reason
            self._intake.problem("too-much-text", where.kind.value, reason, source)

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
        if parent.peek.status not in _SILENT:
            kind = parent.where.kind.value
            self._intake.problem("unreadable", kind, reason, parent.source)

    def _components(self, parent: Row, depth: int = 0) -> Iterator[Row]:
        for one in self._items(parent.peek.component, "its components cannot be read", parent):
            try:
                component = read_component(one)
            except UNREADABLE:
                if b"code" in bytes(one):  # else it names no analyte
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
            row = self._inside(peek, parent, one)
            changed = modified(component.modifierExtension) and peek.status not in _SILENT
            if row is not None and changed:
                self._unusable("modified", MODIFIED, peek, row.meaning.about, parent.source)
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
        found = self._components(Row(peek, NOTHING, parent.where, parent.index), depth + 1)
        yield from self._of_blood(found, peek, parent)

    def _of_blood(self, found: Iterable[Row], holder: Peek, parent: Row) -> Iterator[Row]:
        """The results inside ``holder``; none if its specimen is not blood (see `_elsewhere`)."""
        code = holder.code
        elsewhere = False
        if holder.specimen is not UNSET or holder.bodySite is not UNSET:
            # A contained specimen is a sibling of the results, not inside one of them.
            beside = holder.contained if holder.contained is not UNSET else parent.peek.contained
            seen = replace(holder, contained=beside)
            elsewhere = self._elsewhere_by_specimen(seen)
            holder.comment = seen.comment  # what is said of the sample
        if not elsewhere and not isinstance(code, Missing):
            elsewhere = self._book.meaning(bytes(code)).elsewhere
        for row in found:
            if elsewhere:
                self._elsewhere(row.peek, row.meaning, parent.where, parent.index)
            else:
                row.parent = parent
                yield row

    def _contained(self, parent: Row) -> Iterator[Row]:
        unreadable = "what is contained in it cannot be read"
        for one in self._items(parent.peek.contained, unreadable, parent):
            try:
                peek = read_peek(one)
            except UNREADABLE:
                try:
                    if read_head(one).resourceType != "Observation":
                        continue
                    peek = recovered(one)
                except UNREADABLE:
                    continue
            if peek.resourceType != "Observation":
                if b'"Observation"' in bytes(one) and b'"resourceType"' in bytes(one)[20:]:
                    self._cannot_read(unreadable, parent)  # a Bundle, or another report
                continue
            outer = parent.peek
            own = (peek.effectiveDateTime, peek.effectiveInstant)
            if own == (None, None) and peek.effectivePeriod is UNSET:
                peek.effectiveDateTime = outer.effectiveDateTime
                peek.effectivePeriod = outer.effectivePeriod
                peek.effectiveInstant = outer.effectiveInstant
            peek.status = _joined(peek.status, outer.status)
            refusal = (
                "" if peek.subject is UNSET else self._subjects.refusal_by(bytes(peek.subject))
            )
            if not refusal and peek.focus is not UNSET:
                refusal = self._subjects.refusal_for(readable(peek.focus))
            if refusal:
                self._refuse(parent.where.kind, refusal, parent.source)
                continue
            row = self._inside(peek, parent, one)
            found = [] if row is None else [row]
            if peek.component is not UNSET:
                found += self._components(Row(peek, NOTHING, parent.where, parent.index))
            for result in self._of_blood(found, peek, parent):
                if self._usable(peek, result.meaning, parent.where, parent.index):
                    yield result

    def _inside(self, peek: Peek, parent: Row, raw: Raw) -> Row | None:
        """The row of a result inside ``parent``; None if no rule reads it."""
        code = peek.code
        meaning = UNREAD if isinstance(code, Missing) else self._book.meaning(bytes(code))
        if meaning.by_words:
            meaning = self._borne_out(peek, meaning, parent.where, parent.index)
        if meaning is UNREAD and peek.valueQuantity is not UNSET and peek.status not in _SILENT:
            reason = "a result in it has no code that can be read"
            self._intake.problem("unreadable", parent.where.kind.value, reason, parent.source)
        if meaning is TOO_MUCH:
            self._too_much(parent.where, parent.source)
        if meaning in (NOTHING, ELSEWHERE, UNREAD, TOO_MUCH):
            return None
        return Row(peek, meaning, parent.where, parent.index, parent=parent, inner=Raw(bytes(raw)))

    def _take_report(self, peek: Peek, where: ObservationPage | Entry, index: int) -> None:
        """A DiagnosticReport with the results contained in it."""
        if peek.status == "partial":
            peek.status = "preliminary"
        elif peek.status == "appended":
            peek.status = "final"
        if not isinstance(peek.subject, Missing):
            refusal = self._subjects.refusal_by(bytes(peek.subject))
            if refusal:
                self._refuse(where.kind, refusal, source_of(where, index))
                return
        parent = Row(peek, NOTHING, where, index)
        found = list(self._of_blood(self._contained(parent), peek, parent))
        if peek.status == _WITHDRAWN:
            self._rows.append(parent)
        elif found:
            if self._usable(peek, found[0].meaning, where, index):
                self._rows.append(parent)
                self._inner.extend(found)
        elif peek.status not in _SILENT:
            self._reports.append(parent)

    def _report_unread(self) -> None:
        """Note a problem for each report without results that says something of an analyte."""
        sent: set[str] | None = None
        for row in self._reports:
            report = readable(row.whole())
            if not isinstance(report, dict) or not of_laboratory(report):
                continue
            sent = self._results_sent() if sent is None else sent
            results = [reference(one) for one in items(report.get("result"))]
            told = any(one in sent or _last_part(one) in sent for one in results if one)
            meaning = (
                NOTHING if row.peek.code is UNSET else self._book.meaning(bytes(row.peek.code))
            )
            named = self._book.mentioned(conclusions(report))
            if not told:
                named |= {one.key for one in meaning.analytes}
            when = read_when(self._opener.stated(row.peek), self._opener.zone)
            about = sorted(one for one in named if not self._has_since(one, when))
            if not (about or named or told or meaning.elsewhere) and (
                meaning.panels or (_may_say_more(report) and may_name_any(report))
            ):
                about = [row.where.kind.value]
            for one in about:
                self._unusable("report", REPORTED, row.peek, one, row.source)

    def _results_sent(self) -> set[str]:
        """The ids and addresses of the Observations of the call."""
        sent = set()
        for page in self._intake.pages:
            for index, peek in enumerate(page.peeks):
                sent |= {peek.id or "", text(readable(page.entry(index).fullUrl))}
        for one in self._intake.all_of("Observation"):
            sent |= {_last_part(one.source.reference), one.full_url}
        return sent - {""}

    def _has_since(self, key: str, when: datetime | None) -> bool:
        """Whether a result of an analyte was sent that is from the report's day or later."""
        rows = self._dated.get(key, ())
        return when is not None and any(
            row.when >= when or row.when.date() == when.date() for row in rows
        )

    def _settle(self) -> None:
        """Leave out superseded versions; mostly there are none."""
        ids = {row.peek.id for row in self._rows}
        if len(ids) < len(self._rows) or any(row.peek.status != "final" for row in self._rows):
            self._rows = current(self._rows)
        if self._inner:
            kept = {id(row) for row in self._rows}
            self._rows += [row for row in self._inner if id(row.parent) in kept]

    # --- placing in time -------------------------------------------------------------

    def _place(self, rows: Iterable[Row]) -> None:
        opener, dated = self._opener, self._dated
        for row in rows:
            peek, meaning = row.peek, row.meaning
            if peek.status not in _COUNTS:
                continue
            stated = peek.effectiveDateTime
            if stated is None:
                stated = opener.stated(peek)
            when = read_when(stated, opener.zone)
            if meaning.observed is not None:
                self._take_stated(meaning.observed, row, read_moment(stated, opener.zone))
            if meaning.panels and peek.status != "preliminary":
                self._take_panel(row, read_moment(stated, opener.zone))
            for analyte in meaning.analytes:
                if when is None:
                    reason = why_undated(peek.effectiveDateTime or peek.effectiveInstant)
                    problem = opener.misdated("undated", reason, row, analyte)
                    self._undated.setdefault(analyte.key, []).append(problem)
                else:
                    row.when = when
                    dated[analyte.key].append(row)

    def _take_panel(self, row: Row, moment: Moment | None) -> None:
        if moment is not None and not moment.after(self._as_of) and _done(row.peek):
            source = self._opener.use(row)
            self.performed.append(Performed(row.meaning.panels, moment.day, source))

    def _take_stated(self, observed: ObservedCondition, row: Row, moment: Moment | None) -> None:
        if row.peek.status == "preliminary":
            return
        kind = reason = ""
        if moment is None:
            kind, reason = "undated", "it has no usable date"
        elif moment.after(self._as_of):
            kind, reason = "future", "its date is in the future"
        else:
            whole = readable(row.whole())
            source = self._opener.use(row)
            due = part(whole, "valueDateTime")
            value = part(whole, "valueCodeableConcept") or part(whole, "valueString")
            stated = self._stated.get(observed)
            if stated is None:
                stated = self._stated[observed] = Stated(observed, self._as_of)
            if due is not None:
                taken = stated.take_due(due, moment, source)
            else:
                taken = stated.take(value, moment, source)
            if not taken:
                kind, reason = "no-value", "it has no known answer"
        if kind:
            self._intake.problem(kind, observed.key, reason, row.source)


def _last_part(address: str) -> str:
    """The id at the end of a reference or address, without a version."""
    return address.partition("/_history/")[0].replace(":", "/").rpartition("/")[2]


def _may_say_more(report: Mapping[str, object]) -> bool:
    """Whether a report says something apart from results that were not requested."""
    return any(report.get(name) for name in ("presentedForm", "conclusion", "conclusionCode"))


def _joined(own: str | None, parents: str | None) -> str | None:
    """The status of a result inside another resource: the less certain of the two."""
    if parents in _SILENT and own != _WITHDRAWN:
        return parents
    return parents if own is None or (parents == "preliminary" and own != _WITHDRAWN) else own


def _done(peek: Peek) -> bool:
    """Whether any part of a panel was done: it refers to a member, or a part has a value."""
    if not isinstance(peek.dataAbsentReason, Missing) and bytes(peek.dataAbsentReason) != b"null":
        return False
    if any(part(one, "reference") for one in items(readable(peek.hasMember))):
        return True
    if any(
        part(one, "valueQuantity", "value") is not None and part(one, "dataAbsentReason") is None
        for one in items(readable(peek.component))
    ):
        return True
    return any(
        part(one, "valueQuantity", "value") is not None for one in items(readable(peek.contained))
    )
