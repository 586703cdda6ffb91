"""From outcomes to what is shown: order, cap, one card per draft, no order offered twice.

The most severe come first, and within a severity the order of the catalogue; info cards are
sorted by priority (hazards, findings, work-up, advice) first. A hook may cap info cards or show
none; warnings, critical cards and the card of the reviewing rule (data that could not be used)
are neither dropped nor counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum

from msgspec import Struct
from msgspec.structs import replace

from cds_service.core.patient import Facts
from cds_service.core.text import one_line
from cds_service.core.times import days
from cds_service.engine.faults import RAISED, Faults, bare
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

_ORDER_COUNTS = days(30)


class ShownFinding(Struct, frozen=True):
    """One finding that becomes a card; ``ordered`` are the labels of tests already ordered."""

    rule: Rule
    finding: Finding
    ordered: tuple[str, ...] = ()


class ArrangedFindings(Struct, frozen=True):
    """The findings that are shown, in display order, and why others are not, by rule id."""

    shown: tuple[ShownFinding, ...]
    dropped: Mapping[str, str]


class Priority(IntEnum):
    """The kind of card a rule gives; smaller ones are kept when info cards exceed the cap."""

    HAZARD = 1
    FINDING = 2
    WORKUP = 3
    ADVICE = 4


Findings = Sequence[tuple[Rule, Finding]]


class Priorities(Struct, frozen=True):
    """How the cards of a topic rank among each other.

    ``kinds`` are priorities by rule id; a rule that is not listed is advice. ``withheld`` takes
    the findings of a call and gives, by id, the rules whose cards are not shown beside them,
    with the reason.
    """

    kinds: Mapping[str, Priority]
    withheld: Callable[[Findings], Mapping[str, str]]


NO_PRIORITIES = Priorities({}, lambda _: {})


def fired(
    outcomes: Sequence[Outcome],
    priorities: Priorities = NO_PRIORITIES,
    faults: Faults = RAISED,
) -> list[tuple[Rule, Finding]]:
    """The findings in display order: by severity, info cards by priority, then the catalogue.

    Where the priorities of the topic are at fault, info cards stay in the order of the catalogue.
    """
    findings = [
        (outcome.rule, outcome.answer)
        for outcome in outcomes
        if isinstance(outcome.answer, Finding)
    ]
    if len(findings) < 2:
        return findings
    kinds = priorities.kinds

    def rank(pair: tuple[Rule, Finding]) -> tuple[int, int]:
        rule, finding = pair
        if finding.indicator is not Indicator.INFO:
            return -finding.indicator, 0
        return -finding.indicator, kinds.get(rule.id, Priority.ADVICE)

    try:
        return sorted(findings, key=rank)
    except Exception as error:
        faults.step("priorities", error)
        return sorted(findings, key=lambda pair: -pair[1].indicator)


def arrange(
    hook: Hook,
    findings: Findings,
    facts: Facts,
    orderables: Orderables,
    priorities: Priorities = NO_PRIORITIES,
    faults: Faults = RAISED,
) -> ArrangedFindings:
    """Merge the findings about one draft, apply the cap, and offer each order only once.

    Where several cards offer the same order, the first one keeps it. A fault in one finding
    costs its card the details; if the topic fails to choose what to withhold, nothing is.
    """
    kept: list[tuple[Rule, Finding]] = []
    dropped = _withheld(findings, priorities, faults) if len(findings) > 1 else {}
    if dropped:  # before any merging: a card that is not shown must not take another one's place
        findings = [pair for pair in findings if pair[0].id not in dropped]
    if hook.info_cards is InfoCards.NONE:
        findings = _dangerous(hook, findings, dropped)
    info_shown = 0
    for rule, finding in _one_card_for_one_draft(findings, dropped, faults):
        exempt = rule.review is not None or finding.indicator is not Indicator.INFO
        if not exempt and hook.info_cards is InfoCards.CAPPED:
            if info_shown >= facts.site.max_info_cards:
                dropped[rule.id] = f"over the cap of {facts.site.max_info_cards} info cards"
                continue
            info_shown += 1
        kept.append((rule, finding))
    offered: set[Suggestion | str] = set()
    shown = []
    for rule, finding in kept:
        try:
            card = _offering_once(ShownFinding(rule, finding), facts, orderables, offered)
        except Exception as error:
            faults.card(rule, error)
            card = ShownFinding(rule, bare(rule, finding))
        shown.append(card)
    return ArrangedFindings(tuple(shown), dropped)


def _withheld(findings: Findings, priorities: Priorities, faults: Faults) -> dict[str, str]:
    """The reasons by rule id, from code of the topic."""
    try:
        return _withholding(priorities.withheld(findings), findings)
    except Exception as error:
        faults.step("withheld", error)
        return {}


def _withholding(reasons: Mapping[str, str], findings: Findings) -> dict[str, str]:
    """The reasons why rules that fired are withheld; raises TypeError for anything else."""
    if not reasons:
        return {}
    if not all(isinstance(word, str) for pair in reasons.items() for word in pair):
        raise TypeError("what a topic withholds is not a reason by rule id")
    return {rule.id: reasons[rule.id] for rule, _ in findings if rule.id in reasons}


def _dangerous(hook: Hook, findings: Findings, dropped: dict[str, str]) -> Findings:
    """The findings without info cards; that of a reviewing rule is kept."""
    kept = []
    for rule, finding in findings:
        if finding.indicator is Indicator.INFO and rule.review is None:
            dropped[rule.id] = f"info cards are not shown when {hook.when}"
        else:
            kept.append((rule, finding))
    return kept


def _one_card_for_one_draft(
    findings: Findings, dropped: dict[str, str], faults: Faults
) -> Findings:
    """The findings, with those about the same draft merged into the most severe of them.

    Two that cannot be merged are both shown.
    """
    if sum(bool(finding.about) for _, finding in findings) < 2:
        return findings
    merged: list[tuple[Rule, Finding]] = []
    for pair in findings:
        for index, leading in enumerate(merged):
            if not set(leading[1].about).isdisjoint(pair[1].about):
                lead, other = _leading(leading, pair)
                try:
                    merged[index] = (lead[0], _merged(lead[1], *other))
                except Exception as error:
                    faults.card(other[0], error)
                    continue
                dropped[other[0].id] = f"shown on the card of {lead[0].id}, about the same draft"
                break
        else:
            merged.append(pair)
    return merged


def _leading(
    first: tuple[Rule, Finding], second: tuple[Rule, Finding]
) -> tuple[tuple[Rule, Finding], tuple[Rule, Finding]]:
    """The more severe first; of two equally severe, the one with less that was not checked."""
    equal = first[1].indicator == second[1].indicator
    if equal and len(second[1].missing) < len(first[1].missing):
        return second, first
    return first, second


def _merged(leading: Finding, rule: Rule, other: Finding) -> Finding:
    """The leading finding, with what another rule says of the same draft in a section."""
    section = "\n\n".join([one_line(other.summary) + ".", *other.advice])
    cited = {id(evidence.fact) for evidence in leading.evidence}
    return replace(
        leading,
        sections=(*leading.sections, (rule.title, section), *other.sections),
        background=tuple(dict.fromkeys((*leading.background, *other.background))),
        evidence=(
            *leading.evidence,
            *(evidence for evidence in other.evidence if id(evidence.fact) not in cited),
        ),
        missing=tuple(dict.fromkeys((*leading.missing, *other.missing))),
        suggestions=tuple(dict.fromkeys((*leading.suggestions, *other.suggestions))),
        overrides=tuple(dict.fromkeys((*leading.overrides, *other.overrides))),
        about=tuple(dict.fromkeys((*leading.about, *other.about))),
    )


def _offering_once(
    shown: ShownFinding, facts: Facts, orderables: Orderables, offered: set[Suggestion | str]
) -> ShownFinding:
    if not shown.finding.suggestions:
        return shown
    suggestions: list[Suggestion] = []
    ordered: list[str] = []
    offers: set[Suggestion | str] = set()  # only once all are sound: else another card offers them
    for suggestion in shown.finding.suggestions:
        if isinstance(suggestion, (OrderTest, DraftMedication)):
            orderable = orderables[suggestion.key]
            parts = suggestion.parts if isinstance(suggestion, OrderTest) else ()
            if _already_ordered(orderable, parts, facts):
                ordered.append(orderable.label)
                continue
            identity: Suggestion | str = suggestion.key
        elif suggestion.reference in facts.drafts.signed:
            continue  # no longer a draft that could be removed
        else:
            identity = suggestion
        if identity not in offered and identity not in offers:
            offers.add(identity)
            suggestions.append(suggestion)
    offered |= offers
    if len(suggestions) == len(shown.finding.suggestions):
        return shown
    finding = replace(shown.finding, suggestions=tuple(suggestions))
    return ShownFinding(shown.rule, finding, tuple(ordered))


def _already_ordered(orderable: Orderable, parts: Sequence[str], facts: Facts) -> bool:
    if orderable.medication:
        return bool(
            facts.taking(*orderable.covers, hazard=True) or facts.drafted(*orderable.covers)
        )
    if parts:
        return all(facts.ordered(part, within=_ORDER_COUNTS) for part in parts)
    return bool(facts.ordered(*orderable.covers, within=_ORDER_COUNTS))
