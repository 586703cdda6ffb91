"""The specimen a result was measured in: names, words and codes that say it was not blood.

The rules read results measured in serum, plasma or blood. Sources: HL7 table 0487 (specimen
type) and SNOMED CT specimens; the abbreviations laboratories put before or after a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cds_service.fhir.values.elements import all_words, codings, items, part, readable, text
from cds_service.fhir.values.peeks import Missing, Peek
from cds_service.terminology.codes import SNOMED, normal_system

_OF_BLOOD = re.compile(
    r"\b(bloods?|serum|plasma|ser|serpl|plas|bld|venous|arterial|capillary|vollblut|blut|sang)\b"
)
_ANY_OTHER = (
    r"(?<![pa])urin|orina\b|harn(?!stoff|sä|sae)|\b(csf|cerebrospinal|liquor|punktat|stool|stuhl|"
    r"faec|feces|fecal|fluid|sweat|saliva|speichel|periton|ascit|pleura|synovi|drain|effluent|tissue|hair|"
    r"nail|milk|bile|gastric|sputum|swab|semen|amnio|vitreous|calculus"
)
_OTHER_SPECIMENS = re.compile(rf"{_ANY_OTHER}|dialys)|\b(24|12) ?-?h(ou)?r?s? (collect|sample)")
# A name may say "post dialysis": that says when it was measured, not in what.
_OTHER_IN_NAMES = re.compile(
    rf"{_ANY_OTHER}|dialysat|dialysis (fluid|solution|bath|effluent))|^ua\b"
)
# A category is mostly a department: "Fluids and electrolytes", "Dialysis unit".
_OTHER_IN_CATEGORIES = re.compile(
    rf"{_ANY_OTHER.replace('|fluid|', '|body fluid|')}|dialysat|dialysis (fluid|solution|effluent))"
)
# "U-Kalium", "Kalium (U)", "Na, U", "Kalium i.U.", "dU-Kalium"; not "U&E", and not "U/L".
_URINE_ABBREVIATED = re.compile(
    r"(?<![a-z0-9])ur?(?![a-z0-9])"
    r"(?! ?(?:[&+/,.-]|and|und|et|en|y|e)? ?(?:e|es|c)(?![a-z]))(?! ?/ ?[a-z]{0,2}l\b)"
    r"|(?:^|[(,;/] ?)(?:d|t|24h)u(?:-(?=[a-z])| (?=kali|natri|kreat))|[-(,/ ](?:dur?|tu)\)?$"
)
_MOST = 300  # characters of a name that are read

_URINE_OR_FLUID = frozenset(
    (
        "122575003", "258574006", "276833005", "278020009", "122565001", "698276005", "309051001",
        "258450006", "119339001", "119334006", "119342007", "122569007", "119332005",
        "418564007", "168139001", "309201001", "119373006", "258459007", "119326000", "119327009",
        "119376003", "258442002", "119323008", "122571007",
    )
)  # fmt: skip
"""SNOMED CT specimens: urine, fluids, stool, sputum, saliva, sweat, hair, nail, tissue [GK]."""
_TABLE_0487 = frozenset(
    (
        "U", "UR",
        "URC", "URT", "URNS", "URNC", "URNX", "UMED", "USUB", "URINE", "URAN", "CSF", "STL",
        "SAL", "SPT", "SWT", "PLR", "FLD", "FLU", "PRT", "DIAF", "DIALY", "AMN", "JNTFLD", "ASC",
        "BDY", "TISS", "HAR", "NAIL", "SMN", "GAST", "BIL", "MILK", "STON", "VITF", "SNV", "PCAR",
    )
)  # fmt: skip
"""Codes of HL7 tables 0487 and 0070 for specimens other than blood [GK]."""


def names_other_specimen(words: Sequence[str], in_units: bool = False) -> bool:
    """Whether the name of a result says that it was not measured in blood.

    ``in_units`` is True where a U in the name may be that of a unit, such as U/L.
    """
    for name in words:
        lower = name[:_MOST].lower()
        if _OTHER_IN_NAMES.search(lower):
            if not _OF_BLOOD.search(lower):
                return True
        elif (
            "u" in lower and not in_units and _URINE_ABBREVIATED.search(lower)
        ):  # "U" beside "serum" is a contradiction, which is reported too
            return True
    return False


def names_blood(words: Sequence[str]) -> bool:
    """Whether the name of a result says that it was measured in blood."""
    return any(_OF_BLOOD.search(name[:_MOST].lower()) for name in words)


def names_another_specimen(stated: Sequence[object]) -> bool:
    """Whether CodeableConcepts such as category and method say that it was not blood."""
    stated_words = [word.lower() for concept in stated for word in _named(concept)]
    words = " ".join(stated_words)
    if _OF_BLOOD.search(words):
        return False
    return bool(_OTHER_IN_CATEGORIES.search(words)) or any(
        word in ("ua", "urinalysis") for word in stated_words
    )


def of_another_specimen(peek: Peek, specimens: Mapping[str, object]) -> bool:
    """Whether specimen or bodySite say, by name or type, that it was something other than blood.

    ``specimens`` are the call's Specimen resources, by address.
    """
    site = b"" if isinstance(peek.bodySite, Missing) else bytes(peek.bodySite)
    raw = b"" if isinstance(peek.specimen, Missing) else bytes(peek.specimen)
    phrases: list[str] = []
    if site:
        phrases += _named(readable(site))
    if b'"display"' in raw or b'"#' in raw or b'"type"' in raw or specimens:
        # Mostly it is only a reference to a resource that was not sent.
        for pointer in items(readable(raw)):
            phrases += _words_of(pointer, peek, specimens)
    words = " ".join(phrases).lower()
    return bool(_OTHER_SPECIMENS.search(words)) and not _OF_BLOOD.search(words)


def remark_of(peek: Peek, specimens: Mapping[str, object]) -> str:
    """The condition of a sample and notes on it, in words; empty where there are none."""
    raw = b"" if isinstance(peek.specimen, Missing) else bytes(peek.specimen)
    if not specimens and b'"#' not in raw:
        return ""
    statements: list[str] = []
    for pointer in items(readable(raw)):
        for specimen in _resources(pointer, peek, specimens):
            for state in items(part(specimen, "condition")):
                statements += [
                    _CONDITIONS.get(coding.code.upper(), "") for coding in codings(state)
                ]
                statements += all_words(state)
            statements += [text(part(note, "text")) for note in items(part(specimen, "note"))]
    return ". ".join(filter(None, statements))


_CONDITIONS = {"HEM": "haemolysed", "CLOT": "clotted", "CON": "contaminated"}
"""Conditions of a specimen, HL7 table 0493."""


def _resources(pointer: object, peek: Peek, specimens: Mapping[str, object]) -> list[object]:
    """The Specimen resources that a reference points at."""
    target = text(part(pointer, "reference"))
    if not target.startswith("#"):
        specimen = specimens.get(target) or specimens.get("/".join(target.split("/")[-2:]))
        return [] if specimen is None else [specimen]
    return [
        resource
        for resource in items(readable(peek.contained))
        if text(part(resource, "id")).lstrip("#") == target[1:]
    ]


def _words_of(pointer: object, peek: Peek, specimens: Mapping[str, object]) -> list[str]:
    """What a Reference to a Specimen says it is, in words, as `_named` gives them."""
    kinds = [part(pointer, "type")]
    kinds += [part(specimen, "type") for specimen in _resources(pointer, peek, specimens)]
    shown = text(part(pointer, "display"))
    phrases = [shown, "fluid" if shown.upper() in _TABLE_0487 else ""]
    for kind in kinds:
        phrases += _named(kind)
    return phrases


def _named(kind: object) -> list[str]:
    """The words of a type or body site, and "fluid" for each code of a specimen besides blood."""
    phrases = list(all_words(kind))
    for coding in codings(kind):
        coded = coding.code.strip().upper()
        other_codes = _URINE_OR_FLUID if normal_system(coding.system) == SNOMED else _TABLE_0487
        if coded in other_codes:
            phrases.append("fluid")
    return phrases
