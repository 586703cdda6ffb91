"""Results as they are found, and how they are read once a rule needs their values.

Sources: FHIR R4 Observation; clinical content, section 3 ("Reading data").
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

import msgspec
from msgspec import UNSET, Raw

from cds_service.core.analytes import Analyte
from cds_service.core.facts import Problem, Result, Source
from cds_service.core.series import Candidate
from cds_service.fhir.intake.entries import Entry, ObservationPage
from cds_service.fhir.read.codebook import Meaning
from cds_service.fhir.read.observed import ResultContext, read_value
from cds_service.fhir.read.remarks import is_critical
from cds_service.fhir.read.specimens import names_another_specimen
from cds_service.fhir.read.superseding import meta_of
from cds_service.fhir.values.elements import UNREADABLE, items, part, readable, text
from cds_service.fhir.values.moments import Moment, moment_at, read_when, zone_of
from cds_service.fhir.values.peeks import Identifier, Meta, Missing, Peek, read_members


class Row(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A relevant Observation of this patient: where it was found, its peek, and its meaning.

    A result inside another (a component, or contained) has that one as its ``parent``, and its
    own undecoded JSON as ``inner``.
    """

    peek: Peek
    meaning: Meaning
    where: ObservationPage | Entry
    index: int
    parent: Row | None = None
    inner: Raw | None = None

    @property
    def source(self) -> Source:
        return source_of(self.where, self.index)

    def undecoded(self) -> bytes | Raw:
        """The undecoded resource, or the undecoded component."""
        if self.inner is not None:
            return self.inner
        return self.where.raw if isinstance(self.where, Entry) else self.where.undecoded(self.index)

    # The properties of a `Version`, for `current`.

    @property
    def id(self) -> str:
        return self.peek.id or ""

    @property
    def status(self) -> str:
        return self.peek.status or ""

    @property
    def topic(self) -> str:
        return self.meaning.about

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        # An identifier may be an order's number, or name a kind of test. It identifies a result
        # only together with the time.
        peek = self.peek
        period = peek.effectivePeriod
        time = (
            peek.effectiveDateTime
            or peek.effectiveInstant
            or ("" if isinstance(period, Missing) else bytes(period).decode(errors="replace"))
        )
        keys = (
            Identifier(text(part(identifier, "system")), text(part(identifier, "value")))
            for identifier in items(readable(peek.identifier))
        )
        return tuple(Identifier(f"{key.system} {time}", key.value) for key in keys if key.value)

    @property
    def meta(self) -> Meta:
        return meta_of(readable(self.peek.meta))

    @property
    def content(self) -> Peek:
        return self.peek


class DatedRow(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A row that counts, and its time."""

    when: datetime
    row: Row


class Opener:
    """Makes a candidate from a row and reads its value, each only when a rule needs it.

    It is separate from `Results` because every series refers to it: a cycle of references would
    keep the data of a call in memory until the garbage collector runs.
    """

    def __init__(self, as_of: datetime, age: int | None) -> None:
        self._as_of = as_of
        self._age = age
        self.zone = zone_of(as_of)
        self.rows_used: dict[str, Row] = {}  # the rows behind facts, by reference

    def candidate(self, analyte: Analyte, dated: DatedRow) -> Candidate:
        """A dated row, not read yet."""
        row = dated.row
        moment = moment_at(dated.when, self.effective_time(row.peek), self.zone)
        answer = self._future if moment.after(self._as_of) else self._read
        read = partial(answer, row, analyte, moment)
        return Candidate(moment.when, moment.day, moment.day_only, read)

    def _read(self, row: Row, analyte: Analyte, moment: Moment) -> Result | Problem:
        """The value, once a rule needs it."""
        any_specimen = row.meaning.any_specimen
        other_specimen = (any_specimen or row.peek.method is not UNSET) and _not_blood_by(
            row, any_specimen
        )
        source = row.source if other_specimen else self.use(row)
        preliminary = row.peek.status == "preliminary"
        expected = ResultContext(
            analyte, moment, source, preliminary, row.meaning.method, self._age
        )
        value = read_value(row.peek, row.undecoded, expected)
        if not other_specimen:
            return value
        return Problem(
            "specimen",
            analyte.key,
            "its category or method names a specimen other than blood",
            source,
            moment.when,
            is_critical(row.peek),
            # Code and method contradict each other: it may be of blood, and dangerous.
            value if isinstance(value, Result) and not any_specimen else None,
        )

    def _future(self, row: Row, analyte: Analyte, moment: Moment) -> Problem:
        reason = "its date is in the future"
        return self.misdated("future", reason, row, analyte, moment.when)

    def misdated(
        self, kind: str, reason: str, row: Row, analyte: Analyte, when: datetime | None = None
    ) -> Problem:
        """A result in which only the date may be wrong: its value is kept with the problem."""
        now = Moment(self._as_of, self._as_of.date(), False)
        value = self._read(row, analyte, now)
        return Problem(
            kind,
            analyte.key,
            reason,
            row.source,
            when,
            is_critical(row.peek),
            value if isinstance(value, Result) else None,
        )

    def use(self, row: Row) -> Source:
        """The source of a row that becomes a fact."""
        source = row.source
        self.rows_used.setdefault(source.reference, row)
        return source

    def effective_time(self, peek: Peek) -> str | None:
        """The time of a result, as written; for a period its end, else its start."""
        if peek.effectiveDateTime is not None:
            return peek.effectiveDateTime
        if not isinstance(peek.effectivePeriod, Missing):
            period = readable(peek.effectivePeriod)
            end = text(part(period, "end"))
            return end if read_when(end, self.zone) else text(part(period, "start"))
        return peek.effectiveInstant


def source_of(where: ObservationPage | Entry, index: int) -> Source:
    """Where an Observation came from."""
    if isinstance(where, Entry):
        return where.source
    return Source(where.reference(index), where.origin)


def _not_blood_by(row: Row, any_specimen: bool) -> bool:
    """Whether the method of a result or its parent says it was not blood; also the category where
    it may have been measured in anything (``any_specimen``): a code of blood overrules that."""
    while row.parent is not None:
        row = row.parent
    try:
        members = read_members(row.undecoded())
    except UNREADABLE:
        return False
    names = ("category", "method") if any_specimen else ("method",)
    stated = [readable(members[name]) for name in names if name in members]
    return names_another_specimen(stated)
