"""Reports without results of their own: a document, a conclusion, references.

A DiagnosticReport is read for the results contained in it. Anything else it says is in words or in
a document, which is not read. A problem says so where no such result was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cds_service.fhir.values.elements import all_words, codings, items

_SAYS = ("presentedForm", "conclusion", "conclusionCode", "codedDiagnosis", "result")
_LABORATORY = frozenset({"LAB", "CH", "HM", "LABORATORY", "LP29693-6", "26436-6", "18719-5"} | {
    "18723-7", "108252007", "394596001",
})  # fmt: skip
"""Codes of categories: HL7 table 0074, LOINC and SNOMED CT [GK]."""
_IN_WORDS = re.compile(
    r"\b(labs?\b|laborat|labor(?! ?(ward|room|and|&))\b|chem(?!o)|h[ae]+matol|blood|serum|biochem|"
    r"klinische chemie)"
)
_OTHER_REPORTS = re.compile(
    r"cultur|cytol|histol|pathol|biops|microbio|virol|bacteri|serolog|smear|\bpap\b|\bpcr\b|genetic|"
    r"swab|letter|discharge|radiol|imaging|x-ray|\becg\b|\bctg\b"
)


def of_laboratory(report: Mapping[str, object]) -> bool:
    """Whether a report says anything and may be a laboratory's, judged by its category if any."""
    if not any(report.get(name) for name in _SAYS):
        return False
    category = report.get("category")
    codes = {coding.code.upper() for coding in codings(category)}
    words = " ".join(all_words(category)).lower()
    stated = bool(codes or words)
    return not stated or not _LABORATORY.isdisjoint(codes) or bool(_IN_WORDS.search(words))


def may_have_results(report: Mapping[str, object]) -> bool:
    """Whether a report contains resources, or may say something of a laboratory's results."""
    return bool(report.get("contained")) or of_laboratory(report)


def may_name_any(report: Mapping[str, object]) -> bool:
    """Whether a report that names no analyte may be about any: by its category, else its name."""
    name = " ".join(all_words(report.get("code"))).lower()
    if _OTHER_REPORTS.search(name):
        return False
    return bool(report.get("category") or _IN_WORDS.search(name))


def conclusions(report: Mapping[str, object]) -> tuple[str, ...]:
    """What a report concludes, in words."""
    stated = report.get("conclusion")
    words = [stated] if isinstance(stated, str) else []
    for name in ("conclusionCode", "codedDiagnosis"):
        for concept in items(report.get(name)):
            words += all_words(concept)
    return tuple(words)
