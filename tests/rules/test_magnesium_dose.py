"""magnesium-ordered-dose: a table of cases."""

from decimal import Decimal
from fractions import Fraction

import pytest

from cds_service.core.facts import Kind, Reason
from cds_service.core.medications import Dosage
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

RULE = "magnesium-ordered-dose"
EGFR = "90 mL/min/{1.73_m2}"


def dose(amount: str, unit: str = "mg", per_day: int = 1) -> Dosage:
    return Dosage(amount=Decimal(amount), amount_unit=unit, per_day=Fraction(per_day))


def ordered(
    *dosages: Dosage, name: str = "Magnesium oxide 400 MG Oral Tablet", **more: object
) -> Given:
    return given().ordering("magnesium", name=name, dosages=dosages, **more)  # type: ignore[arg-type]


def low(case: Given, value: str = "0.6 mmol/L", **more: object) -> Given:
    return case.result("magnesium", value, **more).result("egfr", EGFR)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dosage", "fires"),
    [
        pytest.param(dose("463"), True, id="463 mg is 11.49 mmol: rounds to 11"),
        pytest.param(dose("464"), False, id="464 mg is 11.51 mmol: rounds to 12"),
        pytest.param(dose("480"), False, id="480 mg, the article's lower end"),
        pytest.param(dose("484"), False, id="484 mg is 12 mmol"),
        pytest.param(dose("960"), False, id="960 mg, the article's upper end"),
        pytest.param(dose("967"), False, id="967 mg is 24 mmol"),
        pytest.param(dose("987"), False, id="987 mg is 24.49 mmol: rounds to 24"),
        pytest.param(dose("988"), True, id="988 mg is 24.51 mmol: rounds to 25"),
        pytest.param(dose("1", "tablet"), True, id="one tablet of 400 mg is 10 mmol"),
        pytest.param(dose("2", "{tbl}"), False, id="two tablets of 400 mg are 20 mmol"),
        pytest.param(dose("1", "tablet", 2), False, id="one tablet twice a day"),
        pytest.param(dose("24", "mmol"), False, id="24 mmol"),
        pytest.param(dose("25", "mmol"), True, id="25 mmol"),
        pytest.param(dose("50", "mEq"), True, id="50 mEq are 25 mmol"),
        pytest.param(dose("1.2", "g"), True, id="grams"),
    ],
)
def test_outside_the_range_rounded_to_whole_mmol(dosage: Dosage, fires: bool) -> None:
    answer = low(ordered(dosage)).ask(RULE)
    if fires:
        assert fired(answer).indicator is Indicator.INFO
    else:
        silent(answer)


def test_the_card_shows_the_arithmetic() -> None:
    finding = fired(low(ordered(dose("1", "tablet"))).ask(RULE))
    text = " ".join(finding.advice)
    salt = ("400 mg", "40.304 g/mol", "9.9 mmol", "24.305 g/mol = 241 mg elemental")
    for piece in (*salt, "484–967", "292–583"):
        assert piece in text
    assert offers(finding) == set()


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(low(ordered()), id="no dose"),
        pytest.param(low(ordered(dose("1", "tablet"), name="magnesium oxide")), id="no strength"),
        pytest.param(low(ordered(dose("400"), name="magnesium citrate")), id="another salt"),
        pytest.param(
            low(
                given().ordering(
                    "magnesium",
                    "magnesium_antacid_laxative",
                    name="magnesium oxide",
                    dosages=(dose("400"),),
                )
            ),
            id="a laxative",
        ),
        *(
            pytest.param(
                low(ordered(dose("400"), reason=Reason(True, frozenset({reason})))),
                id=f"ordered for {reason}",
            )
            for reason in ("constipation", "dyspepsia", "arrhythmia", "eclampsia")
        ),
        pytest.param(low(ordered(dose("400"), selected=False)), id="not selected"),
        pytest.param(low(ordered(dose("400"))).has("pregnancy"), id="pregnancy"),
        pytest.param(low(ordered(dose("400"))).has("ckd_stage_3"), id="the renal card fires"),
        pytest.param(ordered(dose("400")).result("magnesium", "0.6 mmol/L"), id="renal unknown"),
        pytest.param(low(ordered(dose("400")), "0.70 mmol/L"), id="magnesium is normal"),
    ],
)
def test_silent(case: Given) -> None:
    silent(case.ask(RULE))


def test_silent_under_eighteen() -> None:
    case = given(age=17).ordering("magnesium", name="magnesium oxide", dosages=(dose("400"),))
    silent(low(case).ask(RULE))


def test_cannot_tell() -> None:
    unknown(ordered(dose("400")).result("egfr", EGFR).ask(RULE))
    unknown(low(ordered(dose("400"))).lacking(Kind.CONDITIONS).ask(RULE))
    newer = low(ordered(dose("400")), days_ago=5).unusable("magnesium")
    assert "a newer magnesium result" in unknown(newer.ask(RULE)).because[0]


@pytest.mark.parametrize(("days_ago", "old"), [(30, False), (31, True)])
def test_an_old_low_magnesium_is_repeated_first(days_ago: int, old: bool) -> None:
    finding = fired(low(ordered(dose("400")), days_ago=days_ago).ask(RULE))
    assert (offers(finding) == {"magnesium"}) is old


def test_a_preliminary_low_magnesium_is_called_preliminary() -> None:
    finding = fired(low(ordered(dose("400")), preliminary=True).ask(RULE))
    assert finding.advice[0] == "The low magnesium is preliminary: repeat first."
    assert offers(finding) == {"magnesium"}


def test_the_evidence_lists_the_draft_out_of_range_and_the_level() -> None:
    finding = fired(low(ordered(dose("400"), name="Mag-Ox 400 mg"), days_ago=5).ask(RULE))
    assert evidence_names(finding) == {"Mag-Ox 400 mg", "magnesium"}


def test_an_old_low_magnesium_is_shown_with_its_date() -> None:
    finding = fired(low(ordered(dose("400")), days_ago=31).ask(RULE))
    assert finding.advice[0] == "The low magnesium is from 2026-10-23: repeat first."


def test_the_first_unknown_dose_is_the_reason_for_not_firing() -> None:
    case = ordered(dose("1", "tablet"), name="magnesium oxide")
    case.ordering("magnesium", name="magnesium oxide", dosages=(dose("2", "puffs"),))
    assert "strength of one tablet" in silent(low(case).ask(RULE)).because


def test_one_card_names_every_draft_out_of_range() -> None:
    case = ordered(dose("400"))
    case.ordering("magnesium", name="Mag-Ox 800 mg", dosages=(dose("800"),))
    case.ordering("magnesium", name="Uro-Mag 140 mg", dosages=(dose("140"),))
    text = " ".join(fired(low(case).ask(RULE)).advice)
    assert "Uro-Mag" in text
    assert "Mag-Ox" not in text
