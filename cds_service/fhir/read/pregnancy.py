"""Pregnancy stated as an Observation: its status, a test, or a due date.

A status or test result, coded or in one of the usual words, is valid for 42 weeks. A due date is
valid until two weeks after it, because no pregnancy lasts longer than 42 weeks.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cds_service.core.facts import Called, Condition, Presence, Source
from cds_service.fhir.values.elements import all_words, codings, label
from cds_service.fhir.values.moments import Moment, read_moment, zone_of

_YES_CODES = frozenset(
    {
        "77386006",  # pregnant
        "LA15173-0",
        "10828004",  # positive
        "LA6576-8",
        "POS",
        "260373001",  # detected
        "LA11882-0",
        "52101004",  # present
        "LA9633-4",
        "11214006",  # reactive
    }
)
_YES_WORDS = frozenset(
    {
        "pregnant", "positive", "yes", "pregnancy", "currently pregnant", "pos", "detected",
        "present", "reactive", "weakly positive", "weak positive", "faint positive", "positiv",
        "positif", "positivo", "positief",
    }
)  # fmt: skip
_NO_WORDS = frozenset(
    {
        "not pregnant", "negative", "no", "neg", "not detected", "absent", "nonreactive",
        "non-reactive", "negativ", "negatif", "négatif", "negativo", "negatief",
    }
)  # fmt: skip
_UNSURE_CODES = frozenset(
    {"LA4489-6", "UNK", "261665006", "152231000119106", "82334004", "LA11884-6", "IND", "419984006"}
)
_UNSURE_WORDS = frozenset(
    {
        "unknown", "possible pregnancy", "possible", "not known", "indeterminate", "equivocal",
        "inconclusive", "invalid", "borderline",
    }
)  # fmt: skip
_LASTS = timedelta(days=294)
_OVERDUE = timedelta(days=14)


class Pregnancy:
    """Takes statements one after another; `condition` is what the newest of them says."""

    def __init__(self, as_of: datetime) -> None:
        self._as_of = as_of
        self._newest: datetime | None = None
        self.condition: Condition | None = None

    def take(self, value: object, moment: Moment, source: Source) -> bool:
        """Weigh one ``valueCodeableConcept`` or ``valueString``. False if it says nothing."""
        written = isinstance(value, str)
        concept = {"text": value} if written else value
        codes = {coding.code for coding in codings(concept)}
        words = {word.lower().strip(" .!") for word in all_words(concept)}
        if not codes and not words:
            return False
        if codes & _UNSURE_CODES or words & _UNSURE_WORDS:
            return True
        yes = bool(codes & _YES_CODES or words & _YES_WORDS)
        if written and not yes and not words & _NO_WORDS:
            return False
        name = f"Pregnancy status: {label(concept)}"
        self._weigh(name, moment, source, yes=yes, holds=moment.when >= self._as_of - _LASTS)
        return True

    def take_due(self, value: object, moment: Moment, source: Source) -> bool:
        """Weigh one due date (``valueDateTime``). False if it is not a date.

        A due date more than two weeks ago says nothing: the pregnancy is over by then.
        """
        due = read_moment(value, zone_of(self._as_of))
        if due is None:
            return False
        if self._as_of - _OVERDUE <= due.when <= self._as_of + _LASTS:
            self._weigh(f"Pregnancy: due {due.day}", moment, source, yes=True, holds=True)
        return True

    def _weigh(self, name: str, moment: Moment, source: Source, *, yes: bool, holds: bool) -> None:
        if self._newest is not None and moment.when < self._newest:
            return
        if self._newest == moment.when and self.condition is not None and not yes:
            return  # of two at the same moment, "pregnant" counts: it is the safer of the two
        self._newest = moment.when
        self.condition = None
        if yes and holds:
            self.condition = Condition(
                concepts=frozenset({"pregnancy"}),
                called=Called(name, name.lower()),
                presence=Presence.ACTIVE,
                source=source,
                day=moment.day,
            )
