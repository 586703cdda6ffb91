"""How a medication is given: the route of its dosage instructions, in the words of product names.

Intravenous and oral "magnesium sulfate" are different orders, and the product need not say which
one it is. Source: FHIR R4 Dosage.route (SNOMED CT route codes), HL7 v2 table 0162 for short codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds_service.core.medications import Dosage

_WORDS = {
    "47625008": "intravenous",
    "78421000": "intramuscular",
    "34206005": "subcutaneous",
    "72607000": "intrathecal",
    "26643006": "oral",
    "6064005": "topical",
    "45890007": "transdermal",
    "54485002": "ophthalmic",
    "10547007": "otic",
    "38239002": "intraperitoneal",
    "iv": "intravenous",
    "ivpb": "intravenous",
    "ivp": "intravenous",
    "im": "intramuscular",
    "sc": "subcutaneous",
    "sq": "subcutaneous",
    "it": "intrathecal",
    "po": "oral",
    "by mouth": "oral",
    "ng": "oral",
    "top": "topical",
    "tp": "topical",
    "skin": "topical",
    "eye": "ophthalmic",
    "ear": "otic",
}
_IN_TEXT = re.compile(
    r"\b(?:(?P<intravenous>iv|ivpb|intravenous(?:ly)?)|(?P<intramuscular>im|intramuscular(?:ly)?)"
    r"|(?P<intrathecal>intrathecal(?:ly)?)|(?P<topical>topical(?:ly)?|to (?:the )?skin)"
    r"|(?P<ophthalmic>(?:in|to)(?: the)?(?: left| right| both| affected)? eyes?)"
    r"|(?P<oral>po|oral(?:ly)?|by mouth|tablets?|capsules?))\b",
    re.IGNORECASE,
)
"""Alternatives of fixed words: linear in the length of the text, which a test measures."""
_LONGEST = 500


def routes_of(dosages: Iterable[Dosage]) -> frozenset[str]:
    """The routes of the instructions, each in one or a few words; empty where none is given.

    The text of an instruction counts only where the instruction has no coded route and the text
    names exactly one.
    """
    routes = set()
    for dosage in dosages:
        if dosage.route:
            route = dosage.route.lower().removeprefix("code ")  # a code without words
            routes.add(_WORDS.get(route, route)[:_LONGEST])
        else:
            named = {m.lastgroup or "" for m in _IN_TEXT.finditer(dosage.text[:_LONGEST])}
            if len(named) == 1:
                routes |= named
    return frozenset(routes)
