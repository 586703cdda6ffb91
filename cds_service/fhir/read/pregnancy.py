"""Pregnancy stated as an Observation: a coded answer, good for 42 weeks."""

from __future__ import annotations

from datetime import datetime, timedelta

from cds_service.core.facts import Called, Condition, Presence, Source
from cds_service.fhir.values.elements import all_words, codings, label
from cds_service.fhir.values.moments import Moment

_YES_CODES = frozenset({"77386006", "LA15173-0", "10828004"})
_YES_WORDS = frozenset({"pregnant", "positive", "yes", "pregnancy", "currently pregnant"})
_UNSURE_CODES = frozenset({"LA4489-6", "UNK", "261665006", "152231000119106"})
_UNSURE_WORDS = frozenset({"unknown", "possible pregnancy", "possible", "not known"})
_LASTS = timedelta(days=294)


class Pregnancy:
    """Takes one statement after another; `condition` is what the newest of them says."""

    def __init__(self, as_of: datetime) -> None:
        self._as_of = as_of
        self._newest: datetime | None = None
        self.condition: Condition | None = None

    def take(self, value: object, moment: Moment, source: Source) -> bool:
        """Weigh one ``valueCodeableConcept``. False: it holds no coded answer."""
        codes = {coding.code for coding in codings(value)}
        words = {word.lower().strip(" .") for word in all_words(value)}
        if not codes and not words:
            return False
        if codes & _UNSURE_CODES or words & _UNSURE_WORDS:
            return True
        yes = bool(codes & _YES_CODES or words & _YES_WORDS)
        if self._newest is not None and moment.when < self._newest:
            return True
        if self._newest == moment.when and self.condition is not None and not yes:
            return True  # of two at the same moment, the one that asks for more care
        self._newest = moment.when
        self.condition = None
        if yes and moment.when >= self._as_of - _LASTS:
            name = f"Pregnancy status: {label(value)}"
            self.condition = Condition(
                concepts=frozenset({"pregnancy"}),
                called=Called(name, name.lower()),
                presence=Presence.ACTIVE,
                source=source,
                day=moment.day,
            )
        return True
