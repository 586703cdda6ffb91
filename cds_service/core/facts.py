"""Facts: what is known about one patient at one moment, each with its source.

Facts know neither FHIR nor HTTP. The readers of a record make them; rules only read
them. Missing never counts as normal: what could not be used is a `Problem`, and what could
not be obtained shows in `Availability`.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Protocol

from msgspec import Struct

from cds_service.core.analytes import Analyte
from cds_service.core.confidential import Confidential
from cds_service.core.quantities import Interval, Unit, decimal_text, printed_unit, rounded


class Kind(StrEnum):
    """The kinds of data that a rule can need; one query obtains each."""

    PATIENT = "patient"
    RESULTS = "results"
    CONDITIONS = "conditions"
    MEDICATIONS = "medication requests"
    STATEMENTS = "medication statements"
    ALLERGIES = "allergies"
    ORDERS = "orders"
    ENCOUNTER = "encounter"


class State(StrEnum):
    """How one kind of data arrived. The five states are never confused."""

    GIVEN = "given"
    NONE = "none"  # asked for, and there is none on file
    ABSENT = "absent"  # not asked for, or the client could not get it
    UNAVAILABLE = "unavailable"  # asked for, and an error came back
    PARTIAL = "partial"  # only the first pages


class Availability(Struct, frozen=True):
    """The state of one kind of data, with a reason for the clinician where it is not complete."""

    state: State
    reason: str = ""

    @property
    def obtained(self) -> bool:
        """Whether any of it arrived, or it is known that there is none."""
        return self.state in _OBTAINED

    @property
    def whole(self) -> bool:
        """Whether it arrived complete: what is not in it does not exist on file."""
        return self.state in _WHOLE


_WHOLE = frozenset({State.GIVEN, State.NONE})
_OBTAINED = _WHOLE | {State.PARTIAL}


class Source(Struct, frozen=True):
    """Where a fact came from: ``Type/id``, and how it arrived (the prefetch key, for example)."""

    reference: str
    origin: str = ""


class Problem(Confidential, frozen=True, eq=False):
    """Something that was there and could not be used, and why.

    ``kind`` is a stable word for metrics (``unknown-unit``, ``implausible``, ``future``,
    ``undated``, ``wrong-patient``, ...), ``about`` the analyte key or kind of data, and
    ``reason`` says why in words for a clinician (it may quote the record: escape it before
    showing it). ``critical`` is True where the laboratory flagged the result as critical;
    ``value`` is the result where only its date is wrong (its time is then the time of the
    call); it takes no part in comparison.
    """

    printed = ("kind", "about", "reason", "source", "when", "critical")

    kind: str
    about: str
    reason: str
    source: Source
    when: datetime | None = None
    critical: bool = False
    value: Result | None = None

    def _compared(self) -> tuple[object, ...]:
        return self.kind, self.about, self.reason, self.source, self.when, self.critical

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Problem) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())


# With a dict, so that `cached_property` works: its text is made once for all cards that cite it.
class Result(Struct, frozen=True, dict=True):
    """One usable laboratory result, in the unit and with the decimals that were reported.

    ``day`` is the calendar day in the time zone of the call; ``critical`` means that the
    laboratory flagged it as critical (interpretation HH, LL or AA). ``remarks`` are the kinds
    of remark on its sample: haemolysed, lipaemic, clotted, contaminated.
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
        """The exact value in the canonical unit; None where it was reported with a comparator."""
        if not self.value.exact or self.value.low is None:
            return None
        return self.unit.to_canonical(self.value.low)

    def canonical_middle(self) -> Fraction:
        """A number in the canonical unit, only for deciding which of two results is worse."""
        return self.unit.to_canonical(self.value.middle())


_SHOWN = 4


def plain(value: Decimal) -> str:
    """A decimal as a person writes it: without an exponent, with the zeros that were written.

    Some systems send many meaningless digits; only the first four decimals are shown.
    """
    whole = decimal_text(value)
    return whole if len(whole.partition(".")[2]) <= _SHOWN else f"{value:.{_SHOWN}f}"


class PerformedPanel(Struct, frozen=True):
    """A panel that was done and has no value of its own; ``concepts`` name it."""

    concepts: frozenset[str]
    day: date
    source: Source


class Presence(StrEnum):
    """Whether a Condition is present now."""

    ACTIVE = "active"  # stated to be active
    ASSUMED = "assumed"  # no clinical status and no abatement: taken as present
    SUSPECTED = "suspected"  # provisional, differential or unconfirmed
    PAST = "past"  # inactive, remission, resolved or abated
    REFUTED = "refuted"  # refuted or entered in error


class Designation(Protocol):
    """What an entry is called: in a large record it is read only when it is needed."""

    @property
    def name(self) -> str:
        """What a person would call it."""
        ...

    @property
    def words(self) -> str:
        """All its text in lower case, in which words of severity and the like are looked for."""
        ...

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """Its codes, which show whether two entries are the same."""
        ...


class KnownDesignation(Struct, frozen=True):
    """A designation that has been read already."""

    name: str = ""
    words: str = ""
    identity: frozenset[tuple[str, str]] = frozenset()


class Condition(Struct, frozen=True):
    """One problem or diagnosis, with the concepts that its codes and words name."""

    concepts: frozenset[str]
    designation: Designation
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
        return self.designation.name

    @property
    def words(self) -> str:
        """All its text in lower case."""
        return self.designation.words


class Reason(Struct, frozen=True):
    """Why something was ordered: the concepts that were named, and whether any reason was given."""

    given: bool = False
    concepts: frozenset[str] = frozenset()
    words: str = ""


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
