"""Cards are read in seconds: the advice comes first and is short, and the spelling is British."""

from __future__ import annotations

import re

from tests.vignettes import test_acute_kidney_injury as kidneys
from tests.vignettes import test_magnesium_and_potassium as electrolytes
from tests.vignettes import test_order_select, test_patient_view, test_second_edition
from tests.vignettes import test_whole_patients as whole
from tests.vignettes.builders import Program, Vignette

AMERICAN = re.compile(
    r"\b(anemia|hemoly\w+|edema|diarrhea|hypokalemia|hyperkalemia|hypomagnesemia|color)\b", re.I
)
HEADING = re.compile(r"^\*\*[^*\n]+\*\*$", re.M)  # a line of its own, in bold
MODULES = (electrolytes, test_order_select, test_patient_view, test_second_edition, kidneys, whole)
PATIENTS = [
    vignette
    for module in MODULES
    for vignettes in vars(module).values()
    if isinstance(vignettes, list)
    for vignette in vignettes
    if isinstance(vignette, Vignette)
]


def test_the_advice_comes_first_and_is_short(program: Program) -> None:
    offenders = []
    for vignette in PATIENTS:
        for card in program.answer(vignette).get("cards", ()):
            rule, detail = card["source"]["topic"]["code"], card["detail"]
            advice = HEADING.split(detail, maxsplit=1)[0]
            words = len(advice.split())
            if not 0 < words <= (60 if card["indicator"] == "info" else 90):
                offenders.append(f"{rule}: {words} words: {advice}")
            if ".example" in card["source"].get("url", ""):
                offenders.append(f"{rule}: {card['source']['url']}")
            american = AMERICAN.search(f"{card['summary']}\n{advice}")
            if american:
                offenders.append(f"{rule}: {american[0]}")
    assert not offenders, "\n".join(offenders)
