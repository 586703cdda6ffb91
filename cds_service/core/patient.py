"""Facts: everything a rule may ask about one patient at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from cds_service.core.facts import (
    Allergy,
    Availability,
    Condition,
    Kind,
    Order,
    PerformedPanel,
    Presence,
    Problem,
    Reason,
    Result,
    Source,
    State,
)
from cds_service.core.identity import DEFAULT_SITE
from cds_service.core.knowledge import Limits
from cds_service.core.medications import Medication, Taking
from cds_service.core.record import Record
from cds_service.core.series import NO_RESULTS, Newest, Series, Worse
from cds_service.core.times import Window, years_between

_T = TypeVar("_T")
_MISSING = object()
_ABSENT = Availability(State.ABSENT, "not sent")
_PRESENT = frozenset({Presence.ACTIVE, Presence.ASSUMED})
_PRESENT_OR_SUSPECTED = _PRESENT | {Presence.SUSPECTED}
_ENDED = frozenset({Taking.STOPPED, Taking.NOT_TAKEN})
_INCOMPLETE = frozenset({State.UNAVAILABLE, State.PARTIAL})
# An entry with such a problem still says what it is, or does not belong to this patient's list.
_SAYS_WHAT_IT_IS = frozenset({"unknown-status", "wrong-patient", "wrong-type", "incomplete"})


@dataclass(frozen=True, slots=True)
class Site:
    """The settings of one hospital; ``options`` are those of its topics, by name."""

    limits: Limits
    max_info_cards: int = 3
    card_detail: Literal["short", "full"] = "short"
    rules_off: frozenset[str] = frozenset()
    rules_silent: frozenset[str] = frozenset()
    starts: Mapping[str, date] = field(default_factory=dict)  # a rule is silent before its day
    name: str = DEFAULT_SITE
    profile: Literal["standard", "epic"] = "standard"
    options: Mapping[str, str] = field(default_factory=dict)

    def silent(self, rule: str, today: date) -> bool:
        """Whether a rule is evaluated and counted, but its card is not shown."""
        return rule in self.rules_silent or (
            (start := self.starts.get(rule)) is not None and today < start
        )


class Facts:
    """What is known about one patient at ``as_of`` (with a time zone). Read-only, and cached."""

    def __init__(
        self,
        record: Record,
        series: Mapping[str, Series],
        as_of: datetime,
        site: Site,
        computed: Mapping[str, Callable[[Facts, Worse], Newest | None]] | None = None,
    ) -> None:
        self.record = record
        self.as_of = as_of
        self.today: date = as_of.date()
        self.site = site
        self.limits = site.limits
        self.drafts = record.drafts
        self.patient = record.patient
        self.series = series
        self._computed = computed or {}
        self._newest: dict[Worse, dict[str, Newest]] = {worse: {} for worse in Worse}
        self._unusable: list[Newest] = []  # those with problems, in the order they were asked for
        self._unread: dict[Kind, tuple[Problem, ...]] = {}
        self._starts: dict[Window, date] = {}  # the first day of each window used so far
        self.memory: dict[object, Any] = {}  # values that are derived once per call
        birth = self.patient.birth
        # Completed years, or None where the birth date is unknown.
        self.age: int | None = None if birth is None else years_between(birth, self.today)
        # Known to be under 18. An unknown birth date counts as adult.
        self.minor = self.age is not None and self.age < 18
        # Everything that the lists name: most of what rules ask for is not in them.
        self._named = _union(condition.concepts for condition in record.conditions)
        self._active = [
            medication for medication in record.medications if medication.taking is Taking.ACTIVE
        ]
        self._taken = _union(medication.classes for medication in self._active)
        self._ends = [
            medication
            for medication in record.medications
            if medication.statement and medication.taking in _ENDED
        ]
        self._drafted = _union(medication.classes for medication in record.drafts.medications)
        self._orders = (*record.drafts.orders, *record.orders)
        self._covered = _union(order.covers for order in self._orders)

    def derived(self, make: Callable[[Facts], _T]) -> _T:
        """What ``make`` derives from these facts: computed once for all rules that ask."""
        found: _T = self.memory.get(make, _MISSING)
        if found is _MISSING:
            found = self.memory[make] = make(self)
        return found

    # --- what arrived ----------------------------------------------------------------

    def availability(self, kind: Kind) -> Availability:
        """How one kind of data arrived."""
        return self.record.availability.get(kind, _ABSENT)

    def obtained(self, kind: Kind) -> bool:
        """Whether any of this kind of data arrived, or it is known that there is none."""
        return self.availability(kind).obtained

    def could_be_read(self, *kinds: Kind) -> bool:
        """Whether the lists arrived complete and every active entry says what it is.

        No drug may be offered while the conditions or medications could not be read: an unknown
        entry may be the one that forbids it.
        """
        return not any(self.unread(kind) for kind in kinds)

    def unread(self, kind: Kind) -> tuple[Problem, ...]:
        """Why one list is not known in full; empty where it could be read.

        One problem where it did not arrive complete (its ``kind`` is the state: absent,
        unavailable, partial), and one for each entry that does not say what it is. Medication
        statements are a second list of medications that many sites do not keep: they count as
        missing only where they were asked for and failed, or arrived in part.
        """
        found = self._unread.get(kind)
        if found is None:
            kinds = (kind, Kind.STATEMENTS) if kind is Kind.MEDICATIONS else (kind,)
            about = {each.value for each in kinds}
            found = self._unread[kind] = (
                *(problem for each in kinds for problem in self._not_whole(each, kind)),
                *(
                    problem
                    for problem in self.record.problems
                    if problem.about in about
                    and problem.kind not in _SAYS_WHAT_IT_IS
                    and not problem.source.origin.startswith("context")
                ),
            )
        return found

    def _not_whole(self, kind: Kind, requested: Kind) -> Iterator[Problem]:
        availability = self.availability(kind)
        if availability.whole or (kind is not requested and availability.state not in _INCOMPLETE):
            return
        reason = availability.reason or availability.state.value
        yield Problem(availability.state.value, kind.value, reason, Source(kind.value))

    # --- results ---------------------------------------------------------------------

    def newest(self, analyte: str, worse: Worse) -> Newest:
        """The newest results of one analyte, however old they are."""
        known = self._newest[worse]
        found = known.get(analyte)
        if found is None:
            compute = self._computed.get(analyte)
            found = compute(self, worse) if compute else None
            if found is None:
                found = self.series.get(analyte, NO_RESULTS).newest(worse)
            known[analyte] = found
            if found.unusable:
                self._unusable.append(found)
        return found

    def problems(self) -> tuple[Problem, ...]:
        """What could not be used: in the record, and among the results that a rule asked for."""
        found = dict.fromkeys(self.record.problems)
        for newest in self._unusable:
            found.update(dict.fromkeys(newest.unusable))
        return tuple(found)

    def within(self, result: Result | None, window: Window) -> bool:
        """Whether a result lies inside the window counted back from today."""
        if result is None:
            return False
        start = self._starts.get(window)
        if start is None:
            start = self._starts[window] = window.start(self.today)
        return start <= result.day

    def on_day(self, when: datetime) -> date:
        """The calendar day of an instant in the time zone of the call."""
        return when.astimezone(self.as_of.tzinfo).date()

    # --- conditions ------------------------------------------------------------------

    def conditions(self, *concepts: str, suspected: bool = False) -> tuple[Condition, ...]:
        """Conditions present now that name one of the concepts; ``suspected`` ones on request."""
        if self._named.isdisjoint(concepts):
            return ()
        presences = _PRESENT_OR_SUSPECTED if suspected else _PRESENT
        return tuple(
            [
                condition
                for condition in self.record.conditions
                if condition.presence in presences and not condition.concepts.isdisjoint(concepts)
            ]
        )

    def hazards(self, *concepts: str) -> tuple[Condition, ...]:
        """Conditions that are present or only suspected: for hazards and contraindications."""
        if self._named.isdisjoint(concepts):
            return ()
        return self.conditions(*concepts, suspected=True)

    def ever(self, *concepts: str) -> tuple[Condition, ...]:
        """Conditions present now or in the past, suspected or not; never refuted ones."""
        return tuple(
            [
                condition
                for condition in self._naming(concepts)
                if condition.presence is not Presence.REFUTED
            ]
        )

    def certain(self, *concepts: str) -> tuple[Condition, ...]:
        """Conditions stated to be active: only these may rule out a hazard."""
        return tuple(
            [
                condition
                for condition in self._naming(concepts)
                if condition.presence is Presence.ACTIVE
            ]
        )

    def _naming(self, concepts: tuple[str, ...]) -> Sequence[Condition]:
        """Conditions that name one of the concepts, present or not."""
        if self._named.isdisjoint(concepts):
            return ()
        return [
            condition
            for condition in self.record.conditions
            if not condition.concepts.isdisjoint(concepts)
        ]

    def reasons(self) -> tuple[Reason, ...]:
        """Why the patient is seen, and why the draft orders are made."""
        return (
            self.record.encounter,
            *(draft.reason for draft in self.drafts.medications),
            *(draft.reason for draft in self.drafts.orders),
        )

    # --- medications, orders, allergies ----------------------------------------------

    def taking(
        self, *classes: str, hazard: bool = False, other_than: Medication | None = None
    ) -> tuple[Medication, ...]:
        """Active medications of the classes, except one (an order that is signed again).

        A newer statement that the same drug was stopped ends an older entry, unless the
        question is about a ``hazard``.
        """
        if self._taken.isdisjoint(classes):
            return ()
        medications = [
            medication for medication in self._active if not medication.classes.isdisjoint(classes)
        ]
        if other_than is not None:
            medications = [
                medication
                for medication in medications
                if medication.source.reference != other_than.source.reference
            ]
        if self._ends and not hazard:
            medications = [medication for medication in medications if not self._ended(medication)]
        return tuple(medications)

    def _ended(self, medication: Medication) -> bool:
        for other in self._ends:
            if other.when is None or medication.when is None or other.when <= medication.when:
                continue
            if other.identity & medication.identity or other.name == medication.name:
                return True
        return False

    def drafted(
        self, *classes: str, other_than: Medication | None = None
    ) -> tuple[Medication, ...]:
        """Draft medication orders of the classes, except one."""
        if self._drafted.isdisjoint(classes):
            return ()
        return tuple(
            draft
            for draft in self.drafts.medications
            if draft is not other_than and not draft.classes.isdisjoint(classes)
        )

    def ordered(self, *covers: str, within: Window) -> tuple[Order, ...]:
        """Orders, draft or active inside the window, that cover one of the analytes or kinds."""
        if self._covered.isdisjoint(covers):
            return ()
        found = []
        for order in self._orders:
            if order.covers.isdisjoint(covers):
                continue
            recent = order.when is not None and within.start(self.today) <= self.on_day(order.when)
            if order.draft or recent:
                found.append(order)
        return tuple(found)

    def performed(self, *concepts: str, within: Window) -> tuple[PerformedPanel, ...]:
        """Panels done inside the window, of which only that is known."""
        start = within.start(self.today)
        return tuple(
            performed
            for performed in self.record.performed
            if not performed.concepts.isdisjoint(concepts) and start <= performed.day
        )

    def allergic(self, *concepts: str) -> tuple[Allergy, ...]:
        """Allergies and intolerances to one of the substances."""
        return tuple(
            allergy
            for allergy in self.record.allergies
            if not allergy.concepts.isdisjoint(concepts)
        )


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
