"""From answers to what is shown: order, cap, one card for one draft, no order offered twice.

The gravest first, in the order of the catalogue; info cards by priority (hazards, findings,
work-up, advice) before it. A hook may cap info cards, or show none; warnings, critical cards and
the reviewing rule (data that could not be used) are neither dropped nor counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum

from msgspec import Struct
from msgspec.structs import replace

from cds_service.core.patient import Facts
from cds_service.core.records import record
from cds_service.core.text import one_line
from cds_service.core.times import days
from cds_service.engine.hook import Hook, InfoCards
from cds_service.engine.orderables import Orderable, Orderables
from cds_service.engine.rule import (
    DraftMedication,
    Finding,
    Indicator,
    OrderTest,
    Outcome,
    Rule,
    Suggestion,
)

_ORDER_STANDS = days(30)


class Shown(Struct, frozen=True):
    """One finding that becomes a card; ``ordered`` are the labels of tests already ordered."""

    rule: Rule
    finding: Finding
    ordered: tuple[str, ...] = ()


@record
class Arranged:
    """What is shown, in display order, and why other findings are not, by rule id."""

    shown: tuple[Shown, ...]
    dropped: Mapping[str, str]


class Priority(IntEnum):
    """What kind of card a rule gives; the smaller stays when info cards exceed the cap."""

    HAZARD = 1
    FINDING = 2
    WORKUP = 3
    ADVICE = 4


Findings = Sequence[tuple[Rule, Finding]]


@record
class Priorities:
    """How the cards of a topic rank beside each other.

    ``kinds`` by rule id; a rule that is not listed is advice. ``withheld`` names the rules
    whose cards are not shown beside these findings, with the reason.
    """

    kinds: Mapping[str, Priority]
    withheld: Callable[[Findings], Mapping[str, str]]


NO_PRIORITIES = Priorities({}, lambda _: {})


def fired(
    outcomes: Sequence[Outcome], priorities: Priorities = NO_PRIORITIES
) -> list[tuple[Rule, Finding]]:
    """The findings in display order: by severity, info cards by priority, then the catalogue."""
    found = [(o.rule, o.answer) for o in outcomes if isinstance(o.answer, Finding)]
    if len(found) < 2:
        return found
    kinds = priorities.kinds

    def rank(pair: tuple[Rule, Finding]) -> tuple[int, int]:
        rule, finding = pair
        if finding.indicator is not Indicator.INFO:
            return -finding.indicator, 0
        return -finding.indicator, kinds.get(rule.id, Priority.ADVICE)

    return sorted(found, key=rank)


def arrange(
    hook: Hook,
    findings: Findings,
    facts: Facts,
    orderables: Orderables,
    priorities: Priorities = NO_PRIORITIES,
) -> Arranged:
    """One card for one draft, then the cap, then the first card that offers an order keeps it."""
    kept: list[tuple[Rule, Finding]] = []
    dropped = dict(priorities.withheld(findings)) if len(findings) > 1 else {}
    if hook.info_cards is InfoCards.NONE:
        findings = _dangerous(hook, findings, dropped)
    informed = 0
    for rule, finding in _one_card_for_one_draft(findings, dropped):
        if rule.id in dropped:
            continue
        spares = rule.review is not None or finding.indicator is not Indicator.INFO
        if not spares and hook.info_cards is InfoCards.CAPPED:
            if informed >= facts.site.max_info_cards:
                dropped[rule.id] = f"over the cap of {facts.site.max_info_cards} info cards"
                continue
            informed += 1
        kept.append((rule, finding))
    offered: set[Suggestion | str] = set()
    shown = [_offering_once(Shown(*one), facts, orderables, offered) for one in kept]
    return Arranged(tuple(shown), dropped)


def _dangerous(hook: Hook, findings: Findings, dropped: dict[str, str]) -> Findings:
    """The findings without those that only inform; a reviewing rule's is kept."""
    kept = []
    for rule, finding in findings:
        if finding.indicator is Indicator.INFO and rule.review is None:
            dropped[rule.id] = f"info cards are not shown when {hook.when}"
        else:
            kept.append((rule, finding))
    return kept


def _one_card_for_one_draft(findings: Findings, dropped: dict[str, str]) -> Findings:
    """The findings, those about the same draft told on the gravest card among them."""
    if sum(bool(finding.about) for _, finding in findings) < 2:
        return findings
    merged: list[tuple[Rule, Finding]] = []
    for pair in findings:
        for place, leading in enumerate(merged):
            if not set(leading[1].about).isdisjoint(pair[1].about):
                lead, other = _leading(leading, pair)
                merged[place] = (lead[0], _told_together(lead[1], *other))
                dropped[other[0].id] = f"told on the card of {lead[0].id}, about the same draft"
                break
        else:
            merged.append(pair)
    return merged


def _leading(
    first: tuple[Rule, Finding], second: tuple[Rule, Finding]
) -> tuple[tuple[Rule, Finding], tuple[Rule, Finding]]:
    """The graver first; of two equally grave, what is known before what could not be checked."""
    equal = first[1].indicator == second[1].indicator
    if equal and len(second[1].missing) < len(first[1].missing):
        return second, first
    return first, second


def _told_together(graver: Finding, rule: Rule, other: Finding) -> Finding:
    """The graver finding, with what another rule says of the same draft under its own heading."""
    told = "\n\n".join([one_line(other.summary) + ".", *other.advice])
    cited = {id(one.fact) for one in graver.evidence}
    return replace(
        graver,
        sections=(*graver.sections, (rule.title, told), *other.sections),
        background=tuple(dict.fromkeys((*graver.background, *other.background))),
        evidence=(
            *graver.evidence,
            *(one for one in other.evidence if id(one.fact) not in cited),
        ),
        missing=tuple(dict.fromkeys((*graver.missing, *other.missing))),
        suggestions=tuple(dict.fromkeys((*graver.suggestions, *other.suggestions))),
        overrides=tuple(dict.fromkeys((*graver.overrides, *other.overrides))),
        about=tuple(dict.fromkeys((*graver.about, *other.about))),
    )


def _offering_once(
    shown: Shown, facts: Facts, orderables: Orderables, offered: set[Suggestion | str]
) -> Shown:
    if not shown.finding.suggestions:
        return shown
    suggestions: list[Suggestion] = []
    ordered: list[str] = []
    for suggestion in shown.finding.suggestions:
        if isinstance(suggestion, (OrderTest, DraftMedication)):
            orderable = orderables[suggestion.key]
            wanted = suggestion.wanted if isinstance(suggestion, OrderTest) else ()
            if _stands(orderable, wanted, facts):
                ordered.append(orderable.label)
                continue
            identity: Suggestion | str = suggestion.key
        elif suggestion.reference in facts.drafts.signed:
            continue  # not a draft any more that could be taken back
        else:
            identity = suggestion
        if identity not in offered:
            offered.add(identity)
            suggestions.append(suggestion)
    if len(suggestions) == len(shown.finding.suggestions):
        return shown
    finding = replace(shown.finding, suggestions=tuple(suggestions))
    return Shown(shown.rule, finding, tuple(ordered))


def _stands(orderable: Orderable, wanted: Sequence[str], facts: Facts) -> bool:
    if orderable.medication:
        return bool(
            facts.taking(*orderable.covers, hazard=True) or facts.drafted(*orderable.covers)
        )
    if wanted:
        return all(facts.ordered(one, within=_ORDER_STANDS) for one in wanted)
    return bool(facts.ordered(*orderable.covers, within=_ORDER_STANDS))
