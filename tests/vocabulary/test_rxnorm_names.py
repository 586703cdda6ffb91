"""Every product name of the shared RxNorm list, through medication matching.

When the counts and lists below were written, they were checked name by name (the matched names
of each class, and the names that nearly match: every name with "magnes", "potassium", "quin",
"baclofen", and the stems of the other classes). A change here is a change of what the service
takes a product for: read the names that are added and removed before changing a number.

The small classes are kept as RXCUIs. It was decided that magnesium salicylate is an NSAID and not
magnesium, nor is a multivitamin (three companions) with less than 100 mg of a magnesium salt;
a brand in brackets adds nothing to the ingredients before it (calcium carbonate [Maalox ...]).
"""

from __future__ import annotations

import csv
from functools import cache

import pytest

from hooks.knowledge.vocabulary import MEDICATIONS
from tests.testing.shared_data import shared_path

pytestmark = pytest.mark.shared

COUNTS = {
    "acetaminophen": 523,
    "albumin": 0,
    "anticoagulant": 57,
    "baclofen": 10,
    "baclofen_intrathecal": 0,
    "diuretic_loop": 26,
    "diuretic_potassium_sparing": 37,
    "diuretic_thiazide": 232,
    "dopaminergic": 106,
    "gabapentinoid": 34,
    "iron": 218,
    "laba": 0,
    "magnesium": 164,
    "magnesium_antacid_laxative": 71,
    "magnesium_intravenous": 0,
    "nsaid": 437,
    "opioid": 483,
    "other_cramp_provoking": 228,
    "potassium": 68,
    "quinine": 9,
    "raas_inhibitor": 328,
    "saba": 13,
    "sedative": 539,
    "statin": 127,
    "warfarin": 34,
    "mefloquine": 0,
    "digoxin": 19,
    "qt_prolonging": 279,
    "trimethoprim": 12,
    "heparin": 0,
    "calcineurin_inhibitor": 32,
    "ppi": 52,
    "magnesium_binding": 276,
}

LISTS = {
    "quinine": """
198186 312762 330182 330556 409938 997009 997011 997012 1164191
""",
    "baclofen": """
197391 199280 213725 315458 566100 617299 664142 1155671 1170038 1177393
""",
    "baclofen_intrathecal": """""",
    "albumin": """""",
    "potassium": """
198116 199301 199891 200251 209223 237393 240060 247667 259122 283276 284069 312527 312529
312552 316559 332038 333171 333203 335493 335507 336194 343315 343317 358407 358553 410958
541140 541954 569572 569610 569611 603281 603282 628958 656740 656742 701395 706191 832717
832718 832891 898490 898516 898517 904237 904255 1090845 1090847 1090849 1153833 1155676
1156953 1160485 1160490 1163544 1165123 1165132 1167901 1167917 1167919 1168508 1186764
1248190 1248191 1249528 1251239 1251241 1302195
""",
    "magnesium": """
198740 198959 198993 199010 199301 199891 205116 205234 210759 211633 211640 212978 213208
237872 241549 242181 242623 252430 259240 261217 282539 282627 282746 283152 283276 283641
284069 307747 308072 308841 308895 311410 311425 311429 316194 316200 316203 316204 316207
317055 317410 329951 329952 330299 332136 332146 332148 332149 332539 332583 332728 332749
333691 336075 336085 336438 336742 343314 343350 359739 402659 427457 435007 435244 435281
438220 476549 476553 476859 485703 571437 571990 571994 571996 573127 574449 575076 577819
602858 642336 642354 642355 668663 688206 695928 695930 701423 701425 707558 723737 723739
730999 790436 795180 795182 802686 802785 804612 804614 829382 829388 846918 849495 849497
863184 867495 877528 999731 1086458 1087281 1088241 1088243 1090844 1090845 1090847 1090849
1112810 1125500 1153019 1153298 1153583 1154450 1155632 1155639 1155941 1156953 1156957
1157487 1157490 1157498 1158069 1164432 1164436 1164446 1164956 1166515 1168466 1169370
1176893 1177431 1177435 1177443 1179234 1179251 1181385 1184357 1185203 1187231 1245029
1245383 1245388 1245389 1250278 1250281 1250282 1293410 1293413 1302681 1313984 1370010
1438106 1438107 1491505 1491618
""",
}


@cache
def _classes() -> dict[str, dict[str, str]]:
    """Class to {RXCUI: name}."""
    products: dict[str, dict[str, str]] = {concept: {} for concept in MEDICATIONS.all_concepts}
    with shared_path("rxnorm-names.tsv").open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        assert next(reader) == ["rxcui", "name"]
        for rxcui, name in reader:
            for concept in MEDICATIONS.concepts((), (name,)):
                products[concept][rxcui] = name
    return products


def test_every_class_has_an_expected_count() -> None:
    assert set(COUNTS) == MEDICATIONS.all_concepts


@pytest.mark.parametrize("concept", sorted(COUNTS))
def test_as_many_products_are_of_the_class_as_were_read_by_hand(concept: str) -> None:
    assert len(_classes()[concept]) == COUNTS[concept]


@pytest.mark.parametrize("concept", sorted(LISTS))
def test_exactly_the_products_read_by_hand_are_of_the_class(concept: str) -> None:
    expected = set(LISTS[concept].split())
    found = _classes()[concept]
    assert {key: name for key, name in found.items() if key not in expected} == {}
    assert expected - set(found) == set()


NEVER = [
    ("quinidine", "quinine"),
    ("quinapril", "quinine"),
    ("iodoquinol", "quinine"),
    ("hydroxychloroquine", "quinine"),
    ("losartan potassium", "potassium"),
    ("penicillin v potassium", "potassium"),
    ("penicillin g potassium", "potassium"),
    ("diclofenac potassium", "potassium"),
    ("potassium iodide 130", "potassium"),
    ("dipotassium", "potassium"),
    ("nystatin", "statin"),
    ("spironolactone", "iron"),
    ("naloxegol", "opioid"),
]


@pytest.mark.parametrize(
    ("part", "concept"), NEVER, ids=[f"{part} is not {concept}" for part, concept in NEVER]
)
def test_a_name_with_this_in_it_is_never_of_the_class(part: str, concept: str) -> None:
    wrong = [name for name in _classes()[concept].values() if part in name.lower()]
    assert wrong == []
