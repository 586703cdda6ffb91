"""Facts: everything a rule may ask about one patient at one moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from cds_service.core.facts import (
    Allergy,
    Availability,
    Condition,
    Kind,
    Medication,
    Order,
    Performed,
    Presence,
    Problem,
    Record,
    Result,
    State,
    Taking,
)
from cds_service.core.knowledge import Limits
from cds_service.core.series import Newest, Series, Worse
from cds_service.core.times import Window, years_between

_EMPTY = Series()
_ABSENT = Availability(State.ABSENT, "not sent")
_PRESENT = (Presence.ACTIVE, Presence.ASSUMED)


@dataclass(frozen=True, slots=True)
class Site:
    """The choices of the hospital that runs the service."""

    limits: Limits
    cramps_assumed: bool = False
    jurisdiction: str = "us"
    max_info_cards: int = 3
    rules_off: frozenset[str] = frozenset()


class Facts:
    """What is known about one patient at ``as_of`` (aware). Read-only; answers are cached."""

    def __init__(
        self,
        record: Record,
        series: Mapping[str, Series],
        as_of: datetime,
        site: Site,
        computed: Callable[[Facts, str, Worse], Newest | None] | None = None,
    ) -> None:
        self.record = record
        self.as_of = as_of
        self.today: date = as_of.date()
        self.site = site
        self.limits = site.limits
        self.drafts = record.drafts
        self.patient = record.patient
        self.series = series
        self._computed = computed
        self._newest: dict[tuple[str, Worse], Newest] = {}
        self.memory: dict[str, object] = {}  # answers derived once per call, by concept

    # --- the patient -----------------------------------------------------------------

    @property
    def age(self) -> int | None:
        """Completed years, or None where the birth date is unknown."""
        birth = self.patient.birth
        return None if birth is None else years_between(birth, self.today)

    @property
    def minor(self) -> bool:
        """Known to be under 18. An unknown birth date counts as adult."""
        age = self.age
        return age is not None and age < 18

    # --- what arrived ----------------------------------------------------------------

    def availability(self, kind: Kind) -> Availability:
        """How one kind of data arrived."""
        return self.record.availability.get(kind, _ABSENT)

    def obtained(self, kind: Kind) -> bool:
        """Whether there is an answer for this kind of data at all."""
        return self.availability(kind).obtained

    # --- results ---------------------------------------------------------------------

    def newest(self, analyte: str, worse: Worse) -> Newest:
        """The newest results of one analyte, however old they are."""
        key = (analyte, worse)
        found = self._newest.get(key)
        if found is None:
            found = self._computed(self, analyte, worse) if self._computed else None
            if found is None:
                found = self.series.get(analyte, _EMPTY).newest(worse)
            self._newest[key] = found
        return found

    def problems(self) -> tuple[Problem, ...]:
        """What could not be used: in the record, and among the results anybody asked for."""
        found = dict.fromkeys(self.record.problems)
        for newest in self._newest.values():
            found.update(dict.fromkeys(newest.unusable))
        return tuple(found)

    def within(self, result: Result | None, window: Window) -> bool:
        """Whether a result lies inside the window counted back from today."""
        if result is None:
            return False
        day = result.day if result.day_only else self.on_day(result.when)
        return window.start(self.today) <= day

    def on_day(self, when: datetime) -> date:
        """The calendar day of an instant in the time zone of the call."""
        return when.astimezone(self.as_of.tzinfo).date()

    # --- conditions ------------------------------------------------------------------

    def conditions(self, *concepts: str, suspected: bool = False) -> tuple[Condition, ...]:
        """Conditions present now that name one of the concepts; ``suspected`` ones on request."""
        wanted = set(concepts)
        return tuple(
            one
            for one in self.record.conditions
            if (one.presence in _PRESENT or (suspected and one.presence is Presence.SUSPECTED))
            and not wanted.isdisjoint(one.concepts)
        )

    def hazards(self, *concepts: str) -> tuple[Condition, ...]:
        """Present or only suspected: for hazards and contraindications."""
        return self.conditions(*concepts, suspected=True)

    def ever(self, *concepts: str) -> tuple[Condition, ...]:
        """Now or in the past, suspected or not; never what was refuted."""
        wanted = set(concepts)
        return tuple(
            one
            for one in self.record.conditions
            if one.presence is not Presence.REFUTED and not wanted.isdisjoint(one.concepts)
        )

    def certain(self, *concepts: str) -> tuple[Condition, ...]:
        """Said to be active and not merely suspected: the only ones that may lift a hazard."""
        wanted = set(concepts)
        return tuple(
            one
            for one in self.record.conditions
            if one.presence is Presence.ACTIVE and not wanted.isdisjoint(one.concepts)
        )

    # --- medications, orders, allergies ----------------------------------------------

    def taking(self, *classes: str, hazard: bool = False) -> tuple[Medication, ...]:
        """Active medications of the classes.

        A newer statement that the same drug was stopped ends an older entry, except where
        a ``hazard`` is asked about.
        """
        wanted = set(classes)
        found = []
        for one in self.record.medications:
            if one.taking is not Taking.ACTIVE or wanted.isdisjoint(one.classes):
                continue
            if not hazard and self._ended(one):
                continue
            found.append(one)
        return tuple(found)

    def _ended(self, medication: Medication) -> bool:
        for other in self.record.medications:
            if not other.statement or other.taking not in (Taking.STOPPED, Taking.NOT_TAKEN):
                continue
            if other.when is None or medication.when is None or other.when <= medication.when:
                continue
            if other.identity & medication.identity or other.name == medication.name:
                return True
        return False

    def drafted(
        self, *classes: str, other_than: Medication | None = None
    ) -> tuple[Medication, ...]:
        """Draft medication orders of the classes, apart from one."""
        wanted = set(classes)
        return tuple(
            draft
            for draft in self.drafts.medications
            if draft is not other_than and not wanted.isdisjoint(draft.classes)
        )

    def ordered(self, *covers: str, within: Window) -> tuple[Order, ...]:
        """Orders, draft or active inside the window, that cover one of the analytes or kinds."""
        wanted = set(covers)
        found = []
        for order in (*self.drafts.orders, *self.record.orders):
            if wanted.isdisjoint(order.covers):
                continue
            recent = order.when is not None and within.start(self.today) <= self.on_day(order.when)
            if order.draft or recent:
                found.append(order)
        return tuple(found)

    def performed(self, *concepts: str, within: Window) -> tuple[Performed, ...]:
        """Panels done inside the window, known only as done."""
        wanted, start = set(concepts), within.start(self.today)
        return tuple(
            one
            for one in self.record.performed
            if not wanted.isdisjoint(one.concepts) and start <= one.day
        )

    def allergic(self, *concepts: str) -> tuple[Allergy, ...]:
        """Allergies and intolerances to one of the substances."""
        wanted = set(concepts)
        return tuple(one for one in self.record.allergies if not wanted.isdisjoint(one.concepts))
