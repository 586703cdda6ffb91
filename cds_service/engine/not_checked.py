"""Rules that could not be checked.

Recommendation: none in a source. Silence looks like an all-clear on the clinician's screen, so a
card names the rules that could not answer.

When: a rule failed through a fault of its own; or it cannot tell, and something that it requires
arrived and could not be used, could not be fetched or arrived in part; or it cannot tell although
its trigger is present, or because a result with a comparator does not decide. For drafts: only
rules that judge a selected one.
Then: names each such rule, with the reasons and the resources.
Does not cover: data that were not sent, and results that are not on file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds_service.core.facts import Problem, Result, State
from cds_service.core.kinds import KINDS
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.text import quoted, shortened
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Finding,
    Indicator,
    Need,
    NotFired,
    Outcome,
    Rule,
    Tier,
    conditions,
)
from cds_service.engine.run import FAILED, may_fire

_OVERRIDES = ("action-completed", "cds-not-applicable", "service-not-available")
_INCOMPLETE = (State.UNAVAILABLE, State.PARTIAL)
_MOST_LINES = 12
_MOST_NAMES = 3


def not_checked(id: str, rules: Sequence[Rule], *, reference: str) -> Rule:
    """A rule for the end of a service's ``rules`` that says which of them could not be checked.

    ``reference`` is the key of a reference of the topic, for a judgement. The services of a topic
    may use one id: each has its own rule, about its own ``rules``.
    """
    return Rule(
        id=id,
        title="What could not be checked",
        version="1.0.0",
        changed="2026-11-28",
        tier=Tier.ALWAYS,
        references=(reference,),
        needs=tuple(dict.fromkeys(need.optional() for rule in rules for need in rule.needs)),
        owner="clinical content",
        check=None,
        overrides=_OVERRIDES,
        minors=True,
        persistent=True,
        review=review,
        otherwise=_finding({"Whether all data could be used": FAILED}),
        document=review.__doc__ or "",
    )


def review(facts: Facts, outcomes: Sequence[Outcome]) -> Answer:
    """Say which rules could not be checked although there is something to check."""
    lines = {
        outcome.rule.title: "; ".join(reasons)
        for outcome in outcomes
        if isinstance(outcome.answer, CannotTell)
        and may_fire(outcome.rule, facts)
        and (reasons := dict.fromkeys(_reasons(outcome.rule, outcome.answer, facts)))
    }
    return _finding(lines) if lines else NotFired("nothing that arrived was left unchecked")


def _finding(lines: dict[str, str]) -> Finding:
    shown = [f"{title}: {reasons}" for title, reasons in lines.items()]
    if len(shown) > _MOST_LINES:
        shown[_MOST_LINES:] = [f"and {len(shown) - _MOST_LINES} more"]
    more = " and more" if len(lines) > _MOST_NAMES else ""
    return Finding(
        indicator=Indicator.INFO,
        summary=shortened(f"Not checked: {', '.join(list(lines)[:_MOST_NAMES])}{more}", 139),
        advice=(
            "Look these up in the chart: the absence of other cards does not mean that they are "
            "normal.",
        ),
        missing=tuple(shown),
        strength="This card is about the data, not about the patient.",
        overrides=_OVERRIDES,
    )


def _reasons(rule: Rule, answer: CannotTell, facts: Facts) -> Iterator[str]:
    """Why a rule cannot tell, without what is merely absent."""
    needs = [need for need in rule.needs if need.required]
    if rule.tier is Tier.COMPLAINT:
        needs.append(conditions())
    # A fault counts as a trigger.
    if answer.trigger or answer.unjudged or any(with_comparator(need, facts) for need in needs):
        yield from answer.because
    for kind in dict.fromkeys(need.kind for need in needs):
        availability = facts.availability(kind)
        if availability.state in _INCOMPLETE:
            yield f"{KINDS[kind].words}: {quoted(availability.reason or availability.state.value)}"
    earliest = min((n.within.start(facts.today) for n in rule.needs if n.within), default=None)
    for problem in (*answer.problems, *(p for need in needs for p in _problems(need, facts))):
        when = problem.when
        if when is None or earliest is None or facts.on_day(when) >= earliest:
            critical = ", flagged critical" if problem.critical else ""
            source = quoted(problem.source.reference, 80)
            yield f"{quoted(problem.reason)}{critical} ({source})"


def _problems(need: Need, facts: Facts) -> Iterator[Problem]:
    """What could not be used and may be what is needed."""
    names = {need.kind.value, need.analyte, *need.concepts}
    if need.analyte:
        yield from facts.newest(need.analyte, Worse.LOW).unusable
    yield from (problem for problem in facts.record.problems if problem.about in names)


def with_comparator(need: Need, facts: Facts) -> Result | None:
    """The newest result of a need's analyte in its window, if it has a comparator ("<50")."""
    if not need.analyte or need.within is None:
        return None
    result = facts.newest(need.analyte, Worse.LOW).result
    if result is None or not facts.within(result, need.within) or result.value.exact:
        return None
    return result
