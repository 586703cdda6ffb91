"""Conditions stated as Observations: by a status, a test, or the date at which they end."""

from __future__ import annotations

from datetime import datetime

from cds_service.core.facts import Condition, KnownDesignation, Presence, Source
from cds_service.core.observing import ObservedCondition
from cds_service.fhir.values.elements import all_words, codings, label
from cds_service.fhir.values.moments import Moment, read_moment, zone_of


class StatedCondition:
    """Takes statements of one condition, one after another; `condition` is what the newest says."""

    def __init__(self, observed: ObservedCondition, as_of: datetime) -> None:
        self._observed = observed
        self._as_of = as_of
        self._newest: datetime | None = None
        self.condition: Condition | None = None

    def take(self, value: object, moment: Moment, source: Source) -> bool:
        """Weigh one ``valueCodeableConcept`` or ``valueString``. False if it says nothing."""
        observed = self._observed
        written = isinstance(value, str)
        concept = {"text": value} if written else value
        codes = {coding.code for coding in codings(concept)}
        words = {word.lower().strip(" .!") for word in all_words(concept)}
        if not codes and not words:
            return False
        if codes & observed.unsure_codes or words & observed.unsure_words:
            return True
        yes = bool(codes & observed.yes_codes or words & observed.yes_words)
        if written and not yes and not words & observed.no_words:
            return False
        name = f"{observed.name} status: {label(concept)}"
        self._weigh(
            name, moment, source, yes=yes, holds=moment.when >= self._as_of - observed.lasts
        )
        return True

    def take_due(self, value: object, moment: Moment, source: Source) -> bool:
        """Weigh one date of the end (``valueDateTime``). False if it is not a date.

        One that is too long ago says nothing: the condition is over by then.
        """
        due = read_moment(value, zone_of(self._as_of))
        if due is None:
            return False
        observed = self._observed
        if self._as_of - observed.overdue <= due.when <= self._as_of + observed.lasts:
            self._weigh(f"{observed.name}: due {due.day}", moment, source, yes=True, holds=True)
        return True

    def _weigh(self, name: str, moment: Moment, source: Source, *, yes: bool, holds: bool) -> None:
        if self._newest is not None and moment.when < self._newest:
            return
        if self._newest == moment.when and self.condition is not None and not yes:
            return  # of two at the same moment, the condition counts: it is the safer of the two
        self._newest = moment.when
        self.condition = None
        if yes and holds:
            self.condition = Condition(
                concepts=frozenset({self._observed.condition}),
                designation=KnownDesignation(name, name.lower()),
                presence=Presence.ACTIVE,
                source=source,
                day=moment.day,
            )
