"""The service's vocabularies: which codes and names stand for which clinical concepts.

The content is data for clinicians to review:

* ``codelists/<vocabulary>/<concept>.csv``: the codes of a concept; ``<concept>.not.csv``:
  codes that rule it out whatever else is said (magnesium in urine is not serum magnesium);
* ``names/<vocabulary>.csv``: the words that stand for it, and the words that do not.

Results are told by their code; their words count when none of the codings is on a list, and
beside a LOINC code that is on no list only with a unit of the analyte (`fhir.codebook`).
An order may ask for anything that a result can be, and more (panels, imaging, referrals).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

from cds_service.terminology.codelists import CodeList, Name, read_codes, read_names
from cds_service.terminology.codes import Coding
from cds_service.terminology.vocabulary import TextUse, Vocabulary

VocabularyName = Literal["conditions", "medications", "observations", "orders", "allergies"]
EgfrKind = Literal["race_free_2021", "race_coefficient", "other"]

_TEXT_USE = {
    "conditions": TextUse.ALWAYS,
    "medications": TextUse.ALWAYS,
    "observations": TextUse.WHEN_NO_CODE_FITS,
    "orders": TextUse.WHEN_NO_CODE_FITS,
    "allergies": TextUse.ALWAYS,
}


def _folder() -> Traversable:
    return files("hooks.knowledge")


@cache
def code_lists(folder: str) -> tuple[CodeList, ...]:
    """The code lists of one folder, one per file; raises ``CodeError`` naming file and line."""
    lists = []
    for entry in sorted(_folder().joinpath("codelists", folder).iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".csv"):
            concept = entry.name.removesuffix(".csv")
            excludes = concept.endswith(".not")
            text = entry.read_text(encoding="utf-8")
            where = f"codelists/{folder}/{entry.name}"
            lists.append(read_codes(text, where, concept.removesuffix(".not"), excludes))
    return tuple(lists)


@cache
def name_list(file: str) -> tuple[Name, ...]:
    """The rows of one name list; raises ``CodeError`` naming file and line."""
    text = _folder().joinpath("names", f"{file}.csv").read_text(encoding="utf-8")
    return read_names(text, f"names/{file}.csv")


@cache
def vocabulary(name: VocabularyName) -> Vocabulary:
    """One vocabulary, read once."""
    lists: Iterable[CodeList] = code_lists(name)
    names: Iterable[Name] = name_list(name)
    if name == "orders":
        lists = (*code_lists("observations"), *lists)
        names = (*name_list("observations"), *names)
    return Vocabulary(lists, names, _TEXT_USE[name])


CONDITIONS = vocabulary("conditions")
MEDICATIONS = vocabulary("medications")
OBSERVATIONS = vocabulary("observations")
ORDERS = vocabulary("orders")
ALLERGIES = vocabulary("allergies")


def egfr_kind(codings: Sequence[Coding]) -> EgfrKind:
    """By which equation an eGFR was reported, as far as its code says."""
    concepts = OBSERVATIONS.concepts(codings, ())
    if "egfr_race_free_2021" in concepts:
        return "race_free_2021"
    return "race_coefficient" if "egfr_race_coefficient" in concepts else "other"
