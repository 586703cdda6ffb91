"""What the page shows of one response: the cards, and the reasons of every rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from cds_service.answer.answering import AnsweredCall
from cds_service.answer.trace import as_json
from cds_service.core.knowledge import Limit
from cds_service.demo.wording import block, inline
from cds_service.engine.rule import Finding, Indicator, Rule, Tier

WORDS = {
    Indicator.CRITICAL: "Critical",
    Indicator.WARNING: "Warning",
    Indicator.INFO: "Info",
}
_ANSWERS = {
    "fired": ("fired", "Fired"),
    "cannot tell": ("cannot", "Could not check"),
    "did not fire": ("quiet", "Did not fire"),
}


@dataclass(frozen=True, slots=True)
class ShownCard:
    """One card with its Markdown rendered; ``body`` is its JSON.

    ``basis`` can be collapsed, ``missing`` never: silence would look like an all-clear.
    """

    body: Mapping[str, Any]
    word: str
    advice: Markup
    missing: tuple[Markup, ...]
    basis: Markup
    why: ShownRule


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One rule's outcome in words."""

    rule: Rule
    style: str
    word: str
    because: tuple[Markup, ...]
    evidence: tuple[Markup, ...]
    missing: tuple[Markup, ...]
    not_shown: str
    limits: tuple[Limit, ...]
    needs_complaint: bool


def cards(answered: AnsweredCall) -> tuple[ShownCard, ...]:
    """The cards in the order of the response."""
    findings = {outcome.rule.id: outcome.answer for outcome in answered.outcomes}
    reasons = {traced_outcome.rule.id: traced_outcome for traced_outcome in why(answered)}
    shown = []
    for card in answered.cards:
        detail = str(card.body["detail"])
        advice, mark, rest = detail.partition("\n\n**Based on**\n\n")
        word = WORDS[Indicator[str(card.body["indicator"]).upper()]]
        basis = block(mark + rest) if mark else Markup("")
        finding = findings[card.rule.id]
        assert isinstance(finding, Finding)  # it made the card
        missing = tuple(inline(sentence) for sentence in finding.missing) if mark else ()
        shown.append(
            ShownCard(card.body, word, block(advice), missing, basis, reasons[card.rule.id])
        )
    return tuple(shown)


def why(answered: AnsweredCall) -> tuple[ShownRule, ...]:
    """Every rule: first those that fired, then those that could not check, then the rest."""
    shown = []
    for traced, outcome in zip(as_json(answered)["rules"], answered.outcomes, strict=True):
        style, word = _ANSWERS[traced["answer"]]
        limits = answered.facts.limits
        shown.append(
            ShownRule(
                rule=outcome.rule,
                style=style,
                word=word,
                because=tuple(inline(sentence) for sentence in traced["because"]),
                evidence=tuple(inline(sentence) for sentence in traced["evidence"]),
                missing=tuple(inline(sentence) for sentence in traced["missing"]),
                not_shown=traced["notShown"],
                limits=tuple(limits[key] for key in outcome.rule.limits),
                needs_complaint=outcome.rule.tier is Tier.COMPLAINT,
            )
        )
    order = [style for style, _ in _ANSWERS.values()]
    return tuple(sorted(shown, key=lambda card: order.index(card.style)))


def card_counts(answered: AnsweredCall) -> str:
    """The number of cards of each severity, in words."""
    if not answered.cards:
        return answered.silence
    indicators = [str(card.body["indicator"]) for card in answered.cards]
    kinds = ", ".join(
        f"{count} {indicator}" + "s" * (indicator == "warning" and count > 1)
        for indicator in map(str, WORDS)
        if (count := indicators.count(indicator))
    )
    return f"{len(indicators)} card{'s' * (len(indicators) > 1)}: {kinds}."
