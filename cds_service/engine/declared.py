"""The facts that one rule may read: those that its declaration names.

A rule's needs decide what is fetched, what its page lists and what it cannot do without. None
of that would cover a read that no need names, so the tests evaluate every rule through this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from cds_service.core.facts import Kind
from cds_service.core.knowledge import KnowledgeError, Limit, Limits
from cds_service.core.patient import Facts
from cds_service.engine.rule import DraftMedication, Finding, OrderTest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds_service.core.facts import Allergy, Condition, Order, PerformedPanel
    from cds_service.core.medications import Medication
    from cds_service.core.series import Newest, Series, Worse
    from cds_service.core.times import Window
    from cds_service.engine.rule import Answer, Need, Rule


class UndeclaredError(KnowledgeError):
    """A rule read, used or offered something that its declaration does not name."""


class DeclaredFacts(Facts):
    """The facts of one patient, restricted to what ``rule`` declares.

    Any other read raises UndeclaredError, which names the rule and what its declaration lacks. What
    the topic itself reads or computes does not count as read by the rule.
    """

    def __init__(self, facts: Facts, rule: Rule) -> None:
        vars(self).update(vars(facts))
        self.memory = {}  # facts derived for another rule would hide what this one reads
        self._whole = facts
        self._rule = rule
        self._named_by: dict[Kind, frozenset[str]] = {
            kind: frozenset().union(*(_names(need) for need in rule.needs if need.kind is kind))
            for kind in Kind
        }
        self.limits = _Limits(facts.limits, rule)
        self.series = _Series(facts.series, self)

    def _may(self, kind: Kind, *names: str) -> None:
        allowed = self._named_by[kind]
        if kind is Kind.ORDERS:  # a draft that the rule judges
            allowed = allowed | self._rule.judges
        for name in names:
            if name not in allowed:
                raise UndeclaredError(
                    f"rule {self._rule.id} reads {name} from {kind.value}, which its needs do "
                    "not name"
                )

    def newest(self, analyte: str, worse: Worse) -> Newest:
        self._may(Kind.RESULTS, analyte)
        return self._whole.newest(analyte, worse)

    def conditions(self, *concepts: str, suspected: bool = False) -> tuple[Condition, ...]:
        self._may(Kind.CONDITIONS, *concepts)
        return super().conditions(*concepts, suspected=suspected)

    def _naming(self, concepts: tuple[str, ...]) -> Sequence[Condition]:
        self._may(Kind.CONDITIONS, *concepts)
        return super()._naming(concepts)

    def taking(
        self, *classes: str, hazard: bool = False, other_than: Medication | None = None
    ) -> tuple[Medication, ...]:
        self._may(Kind.MEDICATIONS, *classes)
        return super().taking(*classes, hazard=hazard, other_than=other_than)

    def ordered(self, *covers: str, within: Window) -> tuple[Order, ...]:
        self._may(Kind.ORDERS, *covers)
        return super().ordered(*covers, within=within)

    def performed(self, *concepts: str, within: Window) -> tuple[PerformedPanel, ...]:
        self._may(Kind.RESULTS, *concepts)
        return super().performed(*concepts, within=within)

    def allergic(self, *concepts: str) -> tuple[Allergy, ...]:
        self._may(Kind.ALLERGIES, *concepts)
        return super().allergic(*concepts)


class _Limits(Limits):
    """The limits that the rule declares."""

    def __init__(self, limits: Limits, rule: Rule) -> None:
        super().__init__(dict(limits))
        self._rule = rule

    def __getitem__(self, key: str) -> Limit:
        if key not in self._rule.limits:
            raise UndeclaredError(
                f"rule {self._rule.id} uses the limit {key}, which it does not declare"
            )
        return super().__getitem__(key)


class _Series(Mapping[str, "Series"]):
    """The results that the rule's needs name."""

    def __init__(self, series: Mapping[str, Series], facts: DeclaredFacts) -> None:
        self._series = series
        self._facts = facts

    def __getitem__(self, analyte: str) -> Series:
        self._facts._may(Kind.RESULTS, analyte)
        return self._series[analyte]

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)


def undeclared(rule: Rule, answer: Answer) -> Iterator[str]:
    """What an answer offers without the rule declaring it, one sentence each."""
    if not isinstance(answer, Finding):
        return
    for suggestion in answer.suggestions:
        if (
            isinstance(suggestion, OrderTest | DraftMedication)
            and suggestion.key not in rule.offers
        ):
            yield f"rule {rule.id} offers {suggestion.key}, which it does not declare"
    for code in answer.overrides:
        if code not in rule.overrides:
            yield f"rule {rule.id} gives the override reason {code}, which it does not declare"


def _names(need: Need) -> frozenset[str]:
    return frozenset((need.analyte, *need.concepts)) - {""}
