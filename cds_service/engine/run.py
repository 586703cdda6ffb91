"""Evaluate every rule and keep every outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, get_args

from cds_service.core.facts import Kind, Problem, Source
from cds_service.core.kinds import KINDS
from cds_service.core.knowledge import Limit
from cds_service.core.patient import Facts
from cds_service.engine.overrides import OVERRIDES
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    DraftMedication,
    Evidence,
    Fact,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Outcome,
    RemoveDraft,
    Rule,
    Tier,
)

IsDocumented = Callable[[Facts], bool | None]
OnFailure = Callable[[Rule, Exception], None]
Scope = Callable[[Facts, Rule], Facts]
FAILED = "this rule failed: an error was logged"


class Engine:
    """The rules of some services, ready to be evaluated.

    ``rules`` are those of each service, by service id. ``complaint`` says whether the
    complaint of the topic is documented (None: cannot tell), and ``complaint_is`` names it in
    messages ("leg cramps are"). ``failed`` is called when a rule raises an exception;
    that rule then cannot tell, and no card of another rule is lost. Without ``failed`` the
    exception propagates. ``scope`` restricts the facts that a rule gets, for tests.
    """

    def __init__(
        self,
        rules: Mapping[str, Sequence[Rule]],
        complaint: IsDocumented,
        failed: OnFailure | None = None,
        scope: Scope | None = None,
        complaint_is: str = "the complaint is",
    ) -> None:
        self._complaint = complaint
        self._complaint_is = complaint_is
        self._scope = scope
        self._failed = failed
        self._checks = {
            service: tuple(r for r in some if r.review is None) for service, some in rules.items()
        }
        self._reviews = {
            service: tuple(r for r in some if r.review is not None)
            for service, some in rules.items()
        }
        self._demands = {
            rule: tuple(need.kind for need in rule.needs if need.required)
            for some in rules.values()
            for rule in some
        }
        self._demanded = {kind for demands in self._demands.values() for kind in demands}

    def rules(self, service: str) -> tuple[Rule, ...]:
        """The rules of one service, in the order of evaluation."""
        return self._checks[service] + self._reviews[service]

    def ask(self, service: str, facts: Facts) -> list[Outcome]:
        """Every rule's outcome, in catalogue order; the reviewing rules come last."""
        outcomes: list[Outcome] = []
        # Mostly empty; looked up once, and not by every rule.
        missing = {kind: reason for kind in self._demanded if (reason := _why_missing(kind, facts))}
        for rule in self._checks[service]:
            try:
                answer = self._answer(rule, facts, missing)
            except Exception as error:
                answer = self._at_fault(rule, error)
            outcomes.append(Outcome(rule, answer))
        for rule in self._reviews[service]:
            assert rule.review is not None
            seen = facts if self._scope is None else self._scope(facts, rule)
            try:
                answer = self._not_applicable(rule, facts) or rule.review(seen, outcomes)
                _require_sound(answer)
            except Exception as error:
                answer = self._at_fault(rule, error)
            outcomes.append(Outcome(rule, answer))
        return outcomes

    def _at_fault(self, rule: Rule, error: Exception) -> Answer:
        if self._failed is None:
            raise error
        self._failed(rule, error)
        if rule.otherwise is not None:
            try:
                _require_sound(rule.otherwise)
            except Exception as unsound:
                self._failed(rule, unsound)
            else:
                return rule.otherwise
        return CannotTell((FAILED,), trigger=True, failed=True)

    def _answer(self, rule: Rule, facts: Facts, missing: Mapping[Kind, str]) -> Answer:
        not_applicable = self._not_applicable(rule, facts)
        if not_applicable is not None:
            return not_applicable
        if rule.judges and not judges(rule, facts):
            return NotFired("no selected order is of a kind that this rule judges")
        if rule.tier is Tier.COMPLAINT:
            documented = self._complaint(facts)
            if documented is None:
                return CannotTell((f"whether {self._complaint_is} documented",))
            if not documented:
                return NotFired(f"{self._complaint_is} not documented")
        if missing:
            reasons = [missing[kind] for kind in self._demands[rule] if kind in missing]
            if reasons:
                return CannotTell(tuple(reasons))
        assert rule.check is not None
        answer = rule.check(facts if self._scope is None else self._scope(facts, rule))
        _require_sound(answer)
        return answer

    @staticmethod
    def _not_applicable(rule: Rule, facts: Facts) -> Answer | None:
        if rule.id in facts.site.rules_off:
            return NotFired("switched off by the site")
        if facts.patient.deceased:
            return NotFired("the patient is recorded as deceased")
        if facts.minor and not rule.minors:
            return NotFired("the patient is under 18")
        return None


_FACTS = get_args(Fact)
_LIMIT: tuple[type, ...] = (Limit, NoneType)
_TEXT, _TUPLE = frozenset({str}), frozenset({tuple})
_LISTS = frozenset({tuple, list})
_PROBLEM = frozenset({Problem})
_OVERRIDES = frozenset(OVERRIDES)


def _require_sound(answer: object) -> None:
    """Raise TypeError for a malformed answer, so that it costs only its own rule.

    Of exactly these classes: what comes later, such as `answer_word`, knows no others.
    """
    if type(answer) is NotFired:
        sound = isinstance(answer.because, str)
    elif type(answer) is CannotTell:
        sound = (
            _are(_TEXT, answer.because)
            and (not answer.problems or _are(_PROBLEM, answer.problems))
            and isinstance(answer.unjudged, str)
        )
    elif type(answer) is Finding:
        sound = _sound_finding(answer)
    else:
        raise TypeError("a rule must answer with Finding, NotFired or CannotTell")
    if not sound or (answer.evidence != () and not _sound_evidence(answer.evidence)):
        raise TypeError("an answer has a field of the wrong type, or an unknown override reason")


def _are(kinds: frozenset[type], values: object) -> bool:
    if not isinstance(values, tuple):
        return False
    # By the types at once; one by one only where some are subclasses, such as members of a StrEnum.
    return kinds.issuperset(map(type, values)) or all(
        isinstance(value, tuple(kinds)) for value in values
    )


def _sound_finding(finding: Finding) -> bool:
    # In few steps: this runs for every card of every call.
    advice, missing, background = finding.advice, finding.missing, finding.background
    about, sections = finding.about, finding.sections
    texts = (
        finding.summary,
        finding.strength,
        finding.reference,
        *advice,
        *missing,
        *background,
        *about,
    )
    return (
        isinstance(finding.indicator, Indicator)
        and _TUPLE.issuperset(map(type, (advice, missing, background, about, sections)))
        and _are(_TEXT, texts)
        and (
            not sections or all(len(section) == 2 and _are(_TEXT, section) for section in sections)
        )
        and _LISTS.issuperset(map(type, (finding.overrides, finding.suggestions)))
        and _OVERRIDES.issuperset(finding.overrides)
        and all(map(_sound_offer, finding.suggestions))
    )


def _sound_offer(offer: object) -> bool:
    if type(offer) is OrderTest:
        return _are(_TEXT, (offer.key, offer.why)) and _are(_TEXT, offer.parts)
    if type(offer) is DraftMedication:
        return _are(_TEXT, (offer.key, offer.why))
    return type(offer) is RemoveDraft and _are(_TEXT, (offer.reference, offer.name))


def _sound_evidence(evidence: Any) -> bool:
    if not isinstance(evidence, tuple):
        return False
    for line in evidence:
        if type(line) is not Evidence or not isinstance(line.fact, _FACTS):
            return False
        if type(line.fact.source) is not Source or not isinstance(line.fact.source.reference, str):
            return False
        if not isinstance(line.limit, _LIMIT) or not isinstance(line.note, str):
            return False
    return True


def may_fire(rule: Rule, facts: Facts) -> bool:
    """Whether a rule may fire for this patient: switched on, not silent, of the right age."""
    site = facts.site
    if facts.minor and not rule.minors:
        return False
    if not (site.rules_off or site.rules_silent or site.starts):
        return True
    return rule.id not in site.rules_off and not site.silent(rule.id, facts.today)


def judges(rule: Rule, facts: Facts) -> bool:
    """Whether a selected draft is of a class or kind that this rule judges."""
    drafts = facts.drafts
    return any(not rule.judges.isdisjoint(d.classes) for d in drafts.selected_medications) or any(
        not rule.judges.isdisjoint(d.covers) for d in drafts.selected_orders
    )


def _why_missing(kind: Kind, facts: Facts) -> str:
    availability = facts.availability(kind)
    if availability.obtained:
        return ""
    reason = availability.reason or availability.state.value
    return f"{KINDS[kind].words}: {reason}"
