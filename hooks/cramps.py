"""Whether leg cramps are documented, how severe they are, and whether an order is for them."""

from __future__ import annotations

import re

from cds_service.core.facts import Condition, Kind, Reason, State
from cds_service.core.patient import Facts
from cds_service.engine.rule import Evidence

LEG_CRAMPS = "leg_cramps"
_PERSISTENT = re.compile(
    r"\b(severe|persistent|refractory|intractable|progressive|incapacitating)\b"
)
_SEVERE = re.compile(
    r"\b(severe|incapacitating|disabling|debilitating|intractable|unbearable|excruciating)\b"
)
_NEGATED = re.compile(r"\b(no|not|non|never|without|denies|nor)(\W+\w+)?\W+$")


def documented(facts: Facts) -> bool | None:
    """Whether leg cramps are documented: an active condition, or the reason of the
    encounter or of a draft order. None if the conditions, or the encounter that was
    requested, could not be read.

    A suspected condition does not count. A site may assume cramps in every patient.
    """
    return facts.derived(_documented)


def _documented(facts: Facts) -> bool | None:
    if facts.site.options.get("cramps") == "assumed" or conditions(facts):
        return True
    if any(LEG_CRAMPS in reason.concepts for reason in facts.reasons()):
        return True
    unread = facts.availability(Kind.ENCOUNTER).state is State.UNAVAILABLE
    return None if unread or not facts.could_be_read(Kind.CONDITIONS) else False


def conditions(facts: Facts) -> tuple[Condition, ...]:
    """The conditions that document leg cramps."""
    return facts.conditions(LEG_CRAMPS)


def evidence(facts: Facts) -> tuple[Evidence, ...]:
    """The conditions that document leg cramps, as evidence."""
    return tuple(Evidence(condition) for condition in conditions(facts))


def persistent(facts: Facts) -> str:
    """Why the cramps count as severe or persistent, in words; empty if they do not.

    They count as such with a coded severity of severe, a recurrence or relapse, or such a word in
    the text of the condition or the reason.
    """
    for condition in conditions(facts):
        if condition.severe:
            return "recorded as severe"
        if condition.clinical_status in ("recurrence", "relapse"):
            return f"recorded as a {condition.clinical_status}"
        if word := _PERSISTENT.search(condition.words):
            return f"described as {word.group()}"
    for reason in facts.reasons():
        if LEG_CRAMPS in reason.concepts and (word := _PERSISTENT.search(reason.words)):
            return f"described as {word.group()}"
    return ""


def severe(facts: Facts) -> str:
    """The recorded severity of the cramps, such as ``severe`` or ``incapacitating``; else empty.

    It is a coded severity of severe, or such a word in the text of the condition or the reason,
    unless it is negated ("not severe").
    """
    for condition in conditions(facts):
        if word := _severe_word(condition.words):
            return word
        if condition.severe:
            return "severe"
    for reason in facts.reasons():
        if LEG_CRAMPS in reason.concepts and (word := _severe_word(reason.words)):
            return word
    return ""


def _severe_word(words: str) -> str:
    for match in _SEVERE.finditer(words):
        if not _NEGATED.search(words[max(0, match.start() - 30) : match.start()]):
            return match.group()
    return ""


def is_indication(facts: Facts, reason: Reason) -> bool | None:
    """Whether leg cramps are the indication of an order: its reason says so, or it gives no
    reason and cramps are documented. None if it is not known whether they are.
    """
    if reason.given:
        return LEG_CRAMPS in reason.concepts
    return documented(facts)
