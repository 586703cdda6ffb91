"""Phrases that several rules share, and the override reasons that fit them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from cds_service.core.facts import Condition, Result
from cds_service.core.medications import Medication
from cds_service.core.text import one_line, quoted, shortened

# Codes of http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes.
NOT_APPLICABLE = "cds-not-applicable"
POOR_MOMENT = "cds-suboptimal-context"
EVIDENCE_DOUBTED = "recipient-disagrees-evidence"
OUTCOME_FEARED = "recipient-concerns-outcomes"
PREFERENCE = "does-not-align-preferences"
NOT_FEASIBLE = "not-convenient-feasible"
DONE = "action-completed"
CONTRAINDICATED = "patient-contraindication"
REFUSED = "patient-refuses"
TOO_COSTLY = "too-costly-uncovered"
NO_SERVICE = "service-not-available"

FOR_TESTS = (DONE, NOT_APPLICABLE, NOT_FEASIBLE, REFUSED)
FOR_DRUGS = (NOT_APPLICABLE, EVIDENCE_DOUBTED, PREFERENCE, DONE)
FOR_HAZARDS = (NOT_APPLICABLE, DONE, EVIDENCE_DOUBTED, POOR_MOMENT)
FOR_ADVICE = (DONE, NOT_APPLICABLE, POOR_MOMENT, PREFERENCE)


def day(result: Result) -> str:
    """The day of a result, as an ISO date."""
    return result.day.isoformat()


def named(facts: Iterable[Condition | Medication], most: int = 4) -> str:
    """The names of conditions or medications, escaped, once each, for a card's detail."""
    names = list(dict.fromkeys([quoted(fact.name) for fact in facts]))
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


_NOT_A_NAME = ("hr", "ml", "actuat", "mg", "day")


def drugs(medications: Iterable[Medication], most: int = 3) -> str:
    """The short names of the medicines, without markup, for a card's summary.

    ``Furosemide 40 MG Oral Tablet`` becomes furosemide; every part of a combination is named.
    """
    names = dict.fromkeys(filter(None, map(_drug, medications)))
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + rest


def _drug(medication: Medication) -> str:
    whole = _MARKUP.sub(" ", one_line(medication.name)).lower()
    name = whole.split("[", 1)[0]
    parts = [_substance(part) for part in (_PARTS.split(name) if "/" in name else (name,))]
    # In a summary a drug always has some name.
    return shortened("/".join(dict.fromkeys(filter(None, parts))) or one_line(whole), 40)


def _substance(part: str) -> str:
    words = part.replace(",", " ").split()
    while words and (not words[0][0].isalpha() or words[0] in _NOT_A_NAME):
        words = words[1:]
    substance = words[:1]
    for word in words[1:3]:
        if not word.replace("-", "").isalpha():
            break
        substance.append(word)
    return " ".join([word for word in substance if word not in _FORMS])


# Between two names, not between units: "sacubitril/valsartan", and not "mcg/actuat".
_PARTS = re.compile(r" / |(?<=[a-z]{3})(?<!mcg)(?<!meq)(?<!unt)/(?=[a-z]{3})")
_MARKUP = re.compile('[<>&"`*_]')  # some clients render a summary as HTML
_FORMS = frozenset(
    ("oral", "tablet", "tablets", "capsule", "capsules", "injection", "solution", "tab", "cap")
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
READ_AT_ONCE = 90
"""The longest summary, in characters, that a clinician takes in at a glance."""


def short_day(when: date, today: date) -> str:
    """A day in words: ``20 Nov``, with the year if it is not the current one."""
    text = f"{when.day} {_MONTHS[when.month - 1]}"
    return text if when.year == today.year else f"{text} {when.year}"


def append_if_short(text: str, ending: str) -> str:
    """A summary with its ending, or without it if that would make it too long."""
    return text + ending if len(text) + len(ending) <= READ_AT_ONCE else text


def headline(text: str) -> str:
    """A card's summary: one line of at most 139 characters."""
    return shortened(one_line(text), 139)
