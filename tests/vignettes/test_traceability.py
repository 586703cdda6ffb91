"""The card texts quoted in docs/traceability.toml appear on the card of an ordinary patient."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.vignettes.builders import CIRRHOSIS, CRAMPS, Program, Vignette, lab, med

CONTENT = tomllib.loads(Path("docs/traceability.toml").read_text(encoding="utf-8"))
QUOTED = [
    (statement["id"], rule, text)
    for statement in CONTENT["statement"]
    for rule, text in statement.get("on_card", {}).items()
]
ORDINARY = {
    "first-line-measures": Vignette(
        "a healthy woman of 50 with cramps at night", [CRAMPS], "first-line-measures"
    ),
    "analgesic-use": Vignette(
        "a man of 74 who takes ibuprofen for his cramps",
        [CRAMPS, med("Ibuprofen 400 MG Oral Tablet"), lab("egfr", "80")],
        "analgesic-use",
        age=74,
    ),
    "cirrhosis-cramps": Vignette(
        "cirrhosis with cramps on spironolactone, everything else in order",
        [CIRRHOSIS, CRAMPS, med("Spironolactone 100 MG Oral Tablet"), lab("k", "4.2"),
         lab("mg", "2.0"), lab("na", "138"), lab("egfr", "90")],
        "cirrhosis-cramps",
    ),
}  # fmt: skip


def test_statements_that_cards_make_have_a_quoted_text() -> None:
    quoted = {number for number, _, _ in QUOTED}
    assert {"1.1", "2.1", "2.2", "2.3", "2.4", "2.5", "7.1", "8.5", "9.1"} <= quoted
    for statement in CONTENT["statement"]:
        assert set(statement.get("on_card", {})) <= set(statement.get("rules", ()))


@pytest.mark.parametrize(("number", "rule", "text"), QUOTED)
def test_the_quoted_text_is_on_the_card(
    program: Program, number: str, rule: str, text: str
) -> None:
    shown = {
        card["source"]["topic"]["code"]: card["detail"] for card in program.cards(ORDINARY[rule])
    }
    assert rule in shown, (number, sorted(shown))
    assert text in " ".join(shown[rule].split()), (number, shown[rule])
