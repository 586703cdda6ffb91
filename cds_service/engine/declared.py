"""The facts that one rule may read: those that its declaration names.

A rule's needs decide what is fetched, what its page lists and which data it cannot do without. None
of that covers a read that no need names, so the tests evaluate every rule with these facts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from cds_service.core.facts import Kind, Result
from cds_service.core.kinds import KINDS
from cds_service.core.patient import Facts
from cds_service.core.record import Drafts
from cds_service.engine.guarded import (
    GuardedDrafts,
    GuardedLimits,
    GuardedOptions,
    GuardedSeries,
    ProblemsOnly,
    UndeclaredError,
)
from cds_service.engine.rule import DraftMedication, Finding, OrderTest

if TYPE_CHECKING:
    from datetime import date

    from cds_service.core.facts import (
        Allergy,
        Availability,
        Condition,
        Order,
        PerformedPanel,
        Problem,
        Reason,
    )
    from cds_service.core.medications import Medication
    from cds_service.core.series import Newest, Worse
    from cds_service.core.times import Window
    from cds_service.engine.rule import Answer, Need, Rule


_READ_WITH = {spec.fetched_with: kind for kind, spec in KINDS.items() if spec.fetched_with}
"""Kinds that no need names: they are obtained with another kind."""
_FREE = frozenset({"as_of", "today"})
_OF_THE_PATIENT = frozenset({"age", "minor", "patient"})


class DeclaredFacts(Facts):
    """The facts of one patient, restricted to what ``rule`` declares.

    Any other read raises UndeclaredError, which names the rule and what its declaration lacks. What
    the topic itself reads or computes does not count as read by the rule. ``options`` are the
    names of the options that the rule may read, those of its topic; None allows all. A rule that
    reviews others reads on their behalf: it may ask how everything arrived, and read as far back
    as they do.

    It passes on only what is named here. Anything else is refused, including what `Facts` may
    gain later.
    """

    def __init__(self, facts: Facts, rule: Rule, options: Collection[str] | None = None) -> None:
        self._whole = facts
        self._rule = rule
        self._named_by = _named_by(rule)
        self.memory = {}  # facts derived for another rule would hide what this one reads
        self.limits = GuardedLimits(facts.limits, rule)
        self.series = GuardedSeries(
            facts.series,
            self._named_by[Kind.RESULTS],
            partial(self._may, Kind.RESULTS),
            self._earliest,
        )
        known = facts.site.options
        self.site = replace(
            facts.site,
            limits=self.limits,
            options=known if options is None else GuardedOptions(known, options, rule),
        )

    if not TYPE_CHECKING:  # pragma: no branch  # for a type checker they are those of Facts

        def __getattr__(self, name: str) -> object:
            whole = self.__dict__["_whole"]
            if name in _FREE:
                return getattr(whole, name)
            if name in _OF_THE_PATIENT:
                if not self._needs(Kind.PATIENT):
                    raise self._undeclared(
                        f"reads {name}, which no need declares; add demographics() to its needs"
                    )
                return getattr(whole, name)
            if name == "drafts":
                return self._drafts()
            if name == "record" and self._rule.review is not None:
                return ProblemsOnly(whole.record.problems)
            raise self._undeclared(f"reads {name} itself instead of asking the facts")

    def _drafts(self) -> Drafts | GuardedDrafts:
        """Those of a class or kind that the rule judges or needs; all, for a reviewing rule."""
        rule, whole = self._rule, self._whole.drafts
        if rule.review is not None:
            return whole
        classes = rule.judges | self._named_by[Kind.MEDICATIONS]
        return GuardedDrafts(whole, classes, rule.judges | self._named_by[Kind.ORDERS], rule)

    def _undeclared(self, what: str) -> UndeclaredError:
        return UndeclaredError(f"rule {self._rule.id} {what}")

    def _may(self, kind: Kind, *names: str) -> None:
        allowed = self._named_by[kind]
        if kind is Kind.ORDERS:  # a draft that the rule judges
            allowed = allowed | self._rule.judges
        for name in names:
            if name not in allowed:
                raise self._undeclared(
                    f"reads {name} from {kind.value}, which its needs do not name"
                )

    def _needs(self, kind: Kind) -> bool:
        """Whether a need is of this kind, or the rule reviews others."""
        return self._rule.review is not None or any(need.kind is kind for need in self._rule.needs)

    def _may_know(self, kind: Kind, what: str) -> None:
        """Raise UndeclaredError unless a need is of this kind."""
        kind = _READ_WITH.get(kind, kind)
        if not self._needs(kind):
            raise self._undeclared(f"reads {what} from {kind.value}, which its needs do not name")

    def _may_go_back(self, name: str, window: Window) -> None:
        """Raise UndeclaredError where ``window`` is longer than any that a need gives."""
        if self._rule.review is not None:
            return
        self._may(Kind.RESULTS, name)
        earliest = self._earliest(name)
        if earliest is not None and window.start(self.today) < earliest:
            raise self._undeclared(
                f"reads {name} of the last {window}, further back than its needs say"
            )

    def _earliest(self, name: str) -> date | None:
        """The first day of results that a need reaches back to; None for any."""
        if self._rule.review is not None:
            return None
        needs = [need for need in self._rule.needs if need.kind is Kind.RESULTS]
        windows = [need.within for need in needs if name in _names(need)]
        starts = [window.start(self.today) for window in windows if window is not None]
        return min(starts) if starts and len(starts) == len(windows) else None

    # --- what arrived ----------------------------------------------------------------

    def availability(self, kind: Kind) -> Availability:
        self._may_know(kind, "what arrived")
        return self._whole.availability(kind)

    def unread(self, kind: Kind) -> tuple[Problem, ...]:
        self._may_know(kind, "what could be read")
        return self._whole.unread(kind)

    def problems(self) -> tuple[Problem, ...]:
        if self._rule.review is None:
            raise self._undeclared("reads all problems, which only a reviewing rule may")
        return self._whole.problems()

    # --- results ---------------------------------------------------------------------

    def newest(self, analyte: str, worse: Worse) -> Newest:
        self._may(Kind.RESULTS, analyte)
        return self._whole.newest(analyte, worse)

    def within(self, result: Result | None, window: Window) -> bool:
        if result is not None:
            self._may_go_back(result.analyte.key, window)
        return self._whole.within(result, window)

    # --- conditions ------------------------------------------------------------------

    def conditions(self, *concepts: str, suspected: bool = False) -> tuple[Condition, ...]:
        self._may(Kind.CONDITIONS, *concepts)
        return self._whole.conditions(*concepts, suspected=suspected)

    def hazards(self, *concepts: str) -> tuple[Condition, ...]:
        self._may(Kind.CONDITIONS, *concepts)
        return self._whole.hazards(*concepts)

    def ever(self, *concepts: str) -> tuple[Condition, ...]:
        self._may(Kind.CONDITIONS, *concepts)
        return self._whole.ever(*concepts)

    def certain(self, *concepts: str) -> tuple[Condition, ...]:
        self._may(Kind.CONDITIONS, *concepts)
        return self._whole.certain(*concepts)

    def reasons(self) -> tuple[Reason, ...]:
        self._may_know(Kind.CONDITIONS, "the reasons of the encounter and of drafts")
        return self._whole.reasons()

    # --- medications, orders, allergies ----------------------------------------------

    def taking(
        self, *classes: str, hazard: bool = False, other_than: Medication | None = None
    ) -> tuple[Medication, ...]:
        self._may(Kind.MEDICATIONS, *classes)
        return self._whole.taking(*classes, hazard=hazard, other_than=other_than)

    def drafted(
        self, *classes: str, other_than: Medication | None = None
    ) -> tuple[Medication, ...]:
        self._may(Kind.MEDICATIONS, *(name for name in classes if name not in self._rule.judges))
        return self._whole.drafted(*classes, other_than=other_than)

    def ordered(self, *covers: str, within: Window) -> tuple[Order, ...]:
        self._may(Kind.ORDERS, *covers)
        return self._whole.ordered(*covers, within=within)

    def performed(self, *concepts: str, within: Window) -> tuple[PerformedPanel, ...]:
        for concept in concepts:
            self._may_go_back(concept, within)
        return self._whole.performed(*concepts, within=within)

    def allergic(self, *concepts: str) -> tuple[Allergy, ...]:
        self._may(Kind.ALLERGIES, *concepts)
        return self._whole.allergic(*concepts)


def scope(options: Iterable[str]) -> Callable[[Facts, Rule], Facts]:
    """The scope of an `Engine` for the rules of a topic with these options."""
    return partial(DeclaredFacts, options=frozenset(options))


def undeclared(rule: Rule, answer: Answer, today: date) -> Iterator[str]:
    """What an answer offers or cites without the rule declaring it, one sentence each."""
    if isinstance(answer, Finding):
        yield from _undeclared_offers(rule, answer)
    if rule.review is None:
        for evidence in answer.evidence:
            if isinstance(evidence.fact, Result) and not _reaches(rule, evidence.fact, today):
                yield (
                    f"rule {rule.id} cites {evidence.fact.analyte.key} of {evidence.fact.day}, "
                    "which is further back than its needs say"
                )


def _undeclared_offers(rule: Rule, finding: Finding) -> Iterator[str]:
    for suggestion in finding.suggestions:
        if (
            isinstance(suggestion, OrderTest | DraftMedication)
            and suggestion.key not in rule.offers
        ):
            yield f"rule {rule.id} offers {suggestion.key}, which it does not declare"
    for code in finding.overrides:
        if code not in rule.overrides:
            yield f"rule {rule.id} gives the override reason {code}, which it does not declare"


def _reaches(rule: Rule, result: Result, today: date) -> bool:
    """Whether a need of the rule reaches back to the day of a result."""
    return any(
        need.within is None or need.within.start(today) <= result.day
        for need in rule.needs
        if need.analyte == result.analyte.key
    )


@cache
def _named_by(rule: Rule) -> Mapping[Kind, frozenset[str]]:
    """What the needs of a rule name, by kind."""
    return {
        kind: frozenset().union(*(_names(need) for need in rule.needs if need.kind is kind))
        for kind in Kind
    }


def _names(need: Need) -> frozenset[str]:
    return frozenset((need.analyte, *need.concepts)) - {""}
