"""Facts: what is known about one patient at one moment, each with where it came from.

Facts know neither FHIR nor HTTP. Whoever reads a record makes them; rules only read
them. Missing is never normal: what could not be used is a `Problem`, what could not
be obtained shows in `Availability`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from cds_service.core.analytes import Analyte
from cds_service.core.quantities import Interval, Unit, printed_unit, rounded
from cds_service.core.records import record


class Kind(StrEnum):
    """The kinds of data a rule can need; each is obtained by one query."""

    PATIENT = "patient"
    RESULTS = "results"
    CONDITIONS = "conditions"
    MEDICATIONS = "medication requests"
    STATEMENTS = "medication statements"
    ALLERGIES = "allergies"
    ORDERS = "orders"
    ENCOUNTER = "encounter"


class State(StrEnum):
    """How one kind of data arrived. The five are never mixed up."""

    GIVEN = "given"
    NONE = "none"  # asked, and there is none on file
    ABSENT = "absent"  # nobody asked, or the client could not get it
    UNAVAILABLE = "unavailable"  # asked, and an error came back
    PARTIAL = "partial"  # the first pages only


class Availability(Struct, frozen=True):
    """State of one kind of data, in words for a clinician where it is not whole."""

    state: State
    reason: str = ""

    @property
    def obtained(self) -> bool:
        """Whether there is an answer at all, if only a part of it."""
        return self.state in _OBTAINED

    @property
    def whole(self) -> bool:
        """Whether nothing is missing: what is not there is known not to be there."""
        return self.state in _WHOLE


_WHOLE = frozenset({State.GIVEN, State.NONE})
_OBTAINED = _WHOLE | {State.PARTIAL}


class Source(Struct, frozen=True):
    """Where a fact came from: ``Type/id`` and the way it reached us."""

    reference: str
    origin: str = ""


@record
class Problem:
    """Something that was there and could not be used, and why.

    ``kind`` is a stable word for metrics (``unknown-unit``, ``implausible``, ``future``,
    ``undated``, ``wrong-patient``, ...), ``about`` the analyte key or kind of data,
    ``reason`` words for a clinician (may quote the record: escape it before showing).
    ``critical`` is True where its laboratory flagged the result as critical; ``value`` is
    the result as far as it could be read, where only its date is at fault (its time is then
    the time of the call).
    """

    kind: str
    about: str
    reason: str
    source: Source
    when: datetime | None = None
    critical: bool = False
    value: Result | None = field(default=None, compare=False, repr=False)


# With a dict: its words are made once, for all the cards that cite it.
class Result(Struct, frozen=True, dict=True):
    """One usable laboratory result, in the unit and decimals the laboratory reported.

    ``day`` is the calendar day in the time zone of the call; ``critical`` says that its
    laboratory flagged it so (interpretation HH, LL or AA). ``remarks`` are the kinds of remark
    on its sample: haemolysed, lipaemic, clotted, contaminated.
    """

    analyte: Analyte
    value: Interval
    decimals: int
    unit: Unit
    when: datetime
    day: date
    day_only: bool
    source: Source
    preliminary: bool = False
    range_low: Decimal | None = None
    range_high: Decimal | None = None
    method: str = ""
    computed: bool = False
    critical: bool = False
    remarks: tuple[str, ...] = ()

    def _limit(self, limit: Decimal) -> Decimal:
        return self.unit.from_canonical(limit, self.decimals)

    def below(self, limit: Decimal) -> bool | None:
        """Whether the value is below a limit given in the canonical unit."""
        return self.value.below(self._limit(limit))

    def above(self, limit: Decimal) -> bool | None:
        """Whether the value is above a limit given in the canonical unit."""
        return self.value.above(self._limit(limit))

    def at_least(self, limit: Decimal) -> bool | None:
        """Whether the value is at or above a limit given in the canonical unit."""
        return self.value.at_least(self._limit(limit))

    def at_most(self, limit: Decimal) -> bool | None:
        """Whether the value is at or below a limit given in the canonical unit."""
        return self.value.at_most(self._limit(limit))

    def below_range(self, limit: Decimal) -> bool | None:
        """Whether it is below the laboratory's own range; without one, below ``limit``."""
        if self.range_low is not None:
            return self.value.below(self.range_low)
        return self.below(limit)

    def above_range(self, limit: Decimal) -> bool | None:
        """Whether it is above the laboratory's own range; without one, above ``limit``."""
        if self.range_high is not None:
            return self.value.above(self.range_high)
        return self.above(limit)

    @cached_property
    def reported(self) -> str:
        """The value as the laboratory reported it: ``<0.50 mmol/L``."""
        low, high = self.value.low, self.value.high
        unit = printed_unit(self.unit.name)
        if low is not None and self.value.exact:
            return f"{plain(low)} {unit}"
        if high is not None:
            return f"{'<' if self.value.high_open else '≤'}{plain(high)} {unit}"
        assert low is not None  # an interval has at least one end
        return f"{'>' if self.value.low_open else '≥'}{plain(low)} {unit}"

    @cached_property
    def canonical(self) -> str:
        """The value in the canonical unit where that differs from the reported one."""
        if self.unit.same or not self.value.exact or self.unit.name == self.analyte.canonical:
            return ""
        assert self.value.low is not None
        value = rounded(self.unit.to_canonical(self.value.low), self.analyte.decimals)
        return f"{plain(value)} {printed_unit(self.analyte.canonical)}"

    def canonical_value(self) -> Fraction | None:
        """The exact value in the canonical unit; None behind a comparator."""
        if not self.value.exact or self.value.low is None:
            return None
        return self.unit.to_canonical(self.value.low)


_SHOWN = 4


def plain(value: Decimal) -> str:
    """A decimal as a person writes it: no exponent, the written zeros kept.

    Some systems send many meaningless digits: beyond four decimals they are not shown.
    """
    written = f"{value:f}"
    _, _, decimals = written.partition(".")
    return written if len(decimals) <= _SHOWN else f"{value:.{_SHOWN}f}"


class Performed(Struct, frozen=True):
    """A panel that was done and has no value of its own; ``concepts`` say which."""

    concepts: frozenset[str]
    day: date
    source: Source


class Presence(StrEnum):
    """What a Condition says about now."""

    ACTIVE = "active"  # said to be active
    ASSUMED = "assumed"  # no clinical status and no abatement: taken as present
    SUSPECTED = "suspected"  # provisional, differential or unconfirmed
    PAST = "past"  # inactive, remission, resolved or abated
    REFUTED = "refuted"  # refuted or entered in error


class Named(Protocol):
    """What an entry calls itself: of a record it is read only where somebody looks."""

    @property
    def name(self) -> str:
        """What a person would call it."""
        ...

    @property
    def words(self) -> str:
        """All its texts in small letters, for words of severity and the like."""
        ...

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """Its codes, by which two entries are seen to be the same."""
        ...


class Called(Struct, frozen=True):
    """A name that is known already."""

    name: str = ""
    words: str = ""
    identity: frozenset[tuple[str, str]] = frozenset()


class Condition(Struct, frozen=True):
    """One problem or diagnosis, with the concepts its codes and words name."""

    concepts: frozenset[str]
    called: Named
    presence: Presence
    source: Source
    clinical_status: str = ""
    severe: bool = False
    day: date | None = None

    def __hash__(self) -> int:
        return hash((self.source, self.concepts))  # the name may not have been read yet

    @property
    def name(self) -> str:
        """What a person would call it."""
        return self.called.name

    @property
    def words(self) -> str:
        """All its texts in small letters."""
        return self.called.words


class Reason(Struct, frozen=True):
    """Why something was ordered: the concepts named, and whether any reason was given."""

    given: bool = False
    concepts: frozenset[str] = frozenset()
    words: str = ""


class Dosage(Struct, frozen=True):
    """One dosage instruction, as numbers where it has them.

    ``amount`` units per dose (high end of a range) in ``amount_unit``; ``per_day`` doses
    a day; ``max_per_day`` an upper bound in ``max_unit`` from maxDosePerPeriod; ``sequence``
    the step of a stepwise order (instructions of the same step apply together).
    """

    amount: Decimal | None = None
    amount_unit: str = ""
    per_day: Fraction | None = None
    as_needed: bool = False
    max_per_day: Fraction | None = None
    max_unit: str = ""
    text: str = ""
    route: str = ""
    unread: str = ""  # why it could not be turned into numbers
    sequence: int | None = None


class Ingredient(Struct, frozen=True):
    """One ingredient with its strength per unit of the product, where it is known."""

    name: str
    amount: Decimal | None = None
    unit: str = ""


class Taking(StrEnum):
    """Whether a medication is taken now."""

    ACTIVE = "active"
    DRAFT = "draft"
    STOPPED = "stopped"
    NOT_TAKEN = "not taken"  # on hold, not taken, or told not to be given
    IGNORED = "ignored"  # entered in error, unknown


class Medication(Struct, frozen=True):
    """One medication request, statement, or draft order, with its classes."""

    classes: frozenset[str]
    called: Named
    taking: Taking
    source: Source
    statement: bool = False
    named: bool = True
    when: datetime | None = None
    reason: Reason = Reason()
    dosages: Sequence[Dosage] = ()
    ingredients: Sequence[Ingredient] = ()
    selected: bool = False
    signed: bool = False

    def __hash__(self) -> int:
        return hash((self.source, self.classes))  # the name may not have been read yet

    @property
    def name(self) -> str:
        """What a person would call it."""
        return self.called.name

    @property
    def words(self) -> str:
        """All it is called, in small letters."""
        return self.called.words

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """Its codes, by which two entries are seen to be the same drug."""
        return self.called.identity


class Order(Struct, frozen=True):
    """One ordered test, procedure or referral; ``covers`` are the analytes or kinds."""

    covers: frozenset[str]
    name: str
    source: Source
    draft: bool = False
    when: datetime | None = None
    reason: Reason = Reason()
    named: bool = True
    selected: bool = False
    signed: bool = False


class Allergy(Struct, frozen=True):
    """One allergy or intolerance that is neither refuted nor inactive."""

    concepts: frozenset[str]
    name: str
    source: Source


class Patient(Struct, frozen=True):
    """Who the facts are about, without saying who it is."""

    birth: date | None = None
    sex: str = ""  # "male", "female", or "" where unknown
    deceased: bool = False
    source: Source = Source("Patient")


@record(slots=False)
class Drafts:
    """What is being ordered now; empty where the hook brings no drafts.

    ``selected`` are the drafts that are judged: those that were picked, or all where the hook
    selects none. ``signed`` are orders that are not drafts any more and are signed again: they
    are judged like the others, but not removed.
    """

    medications: tuple[Medication, ...] = ()
    orders: tuple[Order, ...] = ()

    @cached_property
    def signed(self) -> frozenset[str]:
        """The references of orders that were signed before, and are signed again."""
        return frozenset(
            [one.source.reference for one in self.medications if one.signed]
            + [one.source.reference for one in self.orders if one.signed]
        )

    @cached_property
    def selected_medications(self) -> tuple[Medication, ...]:
        """The drafts the clinician has just picked."""
        return tuple(draft for draft in self.medications if draft.selected)

    @cached_property
    def selected_orders(self) -> tuple[Order, ...]:
        """The test and procedure drafts the clinician has just picked."""
        return tuple(draft for draft in self.orders if draft.selected)


@record
class Record:
    """All that was read from one patient's data, apart from the results (see Series)."""

    patient: Patient = Patient()
    conditions: tuple[Condition, ...] = ()
    medications: tuple[Medication, ...] = ()
    orders: tuple[Order, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    performed: tuple[Performed, ...] = ()
    drafts: Drafts = Drafts()
    encounter: Reason = Reason()
    availability: Mapping[Kind, Availability] = field(default_factory=dict)
    problems: Sequence[Problem] = ()
