"""From answers to what is shown: order, cap, and no order offered twice.

The loudest first, then the order of the catalogue. At patient-view a site's cap holds for
info cards; warnings, critical cards and the reviewing rule (data that could not be used)
are neither dropped nor counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cds_service.core.orderables import Orderable, Orderables
from cds_service.core.patient import Facts
from cds_service.core.records import record
from cds_service.core.rule import (
    DraftMedication,
    Finding,
    Indicator,
    OrderTest,
    Outcome,
    Rule,
    Service,
    Suggestion,
)
from cds_service.core.times import days

_ORDER_STANDS = days(30)


@record
class Shown:
    """One finding that becomes a card; ``ordered`` are the labels of tests already ordered."""

    rule: Rule
    finding: Finding
    ordered: tuple[str, ...] = ()


@record
class Arranged:
    """What is shown, in display order, and which findings the cap held back."""

    shown: tuple[Shown, ...]
    dropped: tuple[Rule, ...]


def fired(outcomes: Sequence[Outcome]) -> list[tuple[Rule, Finding]]:
    """The findings in display order: loudest first, then catalogue order."""
    found = [(o.rule, o.answer) for o in outcomes if isinstance(o.answer, Finding)]
    return sorted(found, key=lambda pair: -pair[1].indicator)


def arrange(
    service: Service,
    findings: Sequence[tuple[Rule, Finding]],
    facts: Facts,
    orderables: Orderables,
) -> Arranged:
    """Cap the info cards, then let the first card that offers an order keep it."""
    kept: list[Shown] = []
    dropped: list[Rule] = []
    informed = 0
    for rule, finding in findings:
        capped = service is Service.PATIENT_VIEW and rule.review is None
        if capped and finding.indicator is Indicator.INFO:
            if informed >= facts.site.max_info_cards:
                dropped.append(rule)
                continue
            informed += 1
        kept.append(Shown(rule, finding))
    offered: set[Suggestion | str] = set()
    shown = [_offering_once(shown, facts, orderables, offered) for shown in kept]
    return Arranged(tuple(shown), tuple(dropped))


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
