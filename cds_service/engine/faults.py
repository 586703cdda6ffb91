"""Faults in making the cards of a call: where they are reported, and what is left of a card.

A fault in one finding costs its card the details. A fault in a step for all cards (the topic's own
code, or the look-up of earlier answers) leaves that step out. No card is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from cds_service.core.facts import Order
from cds_service.core.medications import Medication
from cds_service.engine.rule import Finding, RemoveDraft, Rule

_REFERENCE = re.compile(r"[A-Za-z]{1,64}/[A-Za-z0-9._~-]{1,64}")
_NOT_WRITTEN = (
    "**The details of this card could not be written; an error was logged.** What the card says "
    "is still true; see the record for the data behind it."
)


def _raise(_: object, error: Exception) -> None:
    raise error


class Faults(Struct, frozen=True):
    """Who is told of an exception that costs one card its details, or one step its effect.

    ``card`` is called with the rule whose card is at fault, ``step`` with the name of the step that
    was left out for all cards of the call ("priorities", "withheld", "snooze"). Either may raise.
    """

    card: Callable[[Rule, Exception], None]
    step: Callable[[str, Exception], None]


RAISED = Faults(_raise, _raise)
"""Every exception propagates."""


def bare(rule: Rule, finding: Finding) -> Finding:
    """The finding without the parts that may be at fault: its severity, its summary and a remark.

    It offers nothing, and names the orders that it judges and the override reasons where these
    can be read.
    """
    try:
        about = tuple(orders_judged(finding))
    except Exception:  # the fault that is being handled, or one more
        about = ()
    return Finding(
        finding.indicator,
        finding.summary or rule.title,
        (_NOT_WRITTEN,),
        overrides=tuple(finding.overrides),
        about=about,
    )


def orders_judged(finding: Finding) -> list[str]:
    """The draft orders that a card is about, as ``Type/id``: those that its rule names, else
    those in its evidence or that it would remove."""
    about = finding.about or (
        *[
            evidence.fact.source.reference
            for evidence in finding.evidence
            if isinstance(evidence.fact, (Medication, Order)) and evidence.fact.selected
        ],
        *[
            suggestion.reference
            for suggestion in finding.suggestions
            if isinstance(suggestion, RemoveDraft)
        ],
    )
    return [reference for reference in dict.fromkeys(about) if _REFERENCE.fullmatch(reference)]
