"""potassium-ordered-hazard: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.engine.rule import Indicator
from tests.testing.given import Given, evidence_names, fired, given, offers, silent, unknown

RULE = "potassium-ordered-hazard"
DRAFT = "MedicationRequest/draft-1"
UNIT = "mL/min/{1.73_m2}"


def ordered(potassium: str = "4.0 mmol/L", egfr: str = "90", **more: object) -> Given:
    case = given().ordering("potassium", name="Potassium chloride 20 MEQ")
    if potassium:
        case.result("potassium", potassium, **more)  # type: ignore[arg-type]
    return case.result("egfr", f"{egfr} {UNIT}") if egfr else case


CRITICAL, WARNING = Indicator.CRITICAL, Indicator.WARNING


@pytest.mark.parametrize(
    ("case", "indicator"),
    [
        pytest.param(ordered("5.0 mmol/L"), CRITICAL, id="K at 5.0"),
        pytest.param(ordered("19.5 mg/dL"), CRITICAL, id="K at 5.0 in mg/dL"),
        pytest.param(ordered(egfr="29"), CRITICAL, id="eGFR just below 30"),
        pytest.param(ordered(egfr="30"), WARNING, id="eGFR at 30"),
        pytest.param(ordered(egfr="59"), WARNING, id="eGFR just below 60"),
        pytest.param(ordered(egfr="<50"), WARNING, id="below 50 is at least below 60"),
        pytest.param(ordered(egfr=""), WARNING, id="renal function unknown"),
        pytest.param(ordered().has("ckd_stage_4_5"), CRITICAL, id="CKD 4-5"),
        pytest.param(ordered().has("dialysis"), CRITICAL, id="dialysis"),
        pytest.param(
            ordered().has("aki", presence=Presence.SUSPECTED), CRITICAL, id="AKI suspected"
        ),
        pytest.param(ordered().has("ckd_stage_3"), WARNING, id="CKD 3"),
        pytest.param(ordered().takes("diuretic_potassium_sparing"), CRITICAL, id="K-sparing taken"),
        pytest.param(
            ordered().ordering("diuretic_potassium_sparing", selected=False),
            CRITICAL,
            id="K-sparing drafted",
        ),
        pytest.param(ordered().takes("raas_inhibitor"), WARNING, id="RAAS inhibitor taken"),
        pytest.param(
            ordered().ordering("raas_inhibitor", selected=False), WARNING, id="RAAS drafted"
        ),
        pytest.param(ordered().takes("nsaid"), WARNING, id="NSAID taken"),
        pytest.param(ordered().takes("potassium"), WARNING, id="potassium already taken"),
        pytest.param(
            ordered().ordering("potassium", selected=False), WARNING, id="more potassium drafted"
        ),
        pytest.param(ordered(""), WARNING, id="K unknown"),
        pytest.param(ordered("4.0 mmol/L", days_ago=31), WARNING, id="K of 31 days ago"),
        pytest.param(ordered("5.6 mmol/L", days_ago=31), WARNING, id="a high K of 31 days ago"),
        pytest.param(ordered("<5.5 mmol/L"), WARNING, id="K left open by a comparator"),
        pytest.param(ordered("4.0 mmol/L", preliminary=True), WARNING, id="K only preliminary"),
        pytest.param(
            ordered("4.0 mmol/L", days_ago=9).unusable("potassium"), WARNING, id="newer K unusable"
        ),
    ],
)
def test_fires(case: Given, indicator: Indicator) -> None:
    finding = fired(case.ask(RULE))
    assert finding.indicator is indicator
    assert {DRAFT, "potassium"} <= offers(finding)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(ordered("4.9 mmol/L"), id="K just below 5.0"),
        pytest.param(ordered("19.4 mg/dL"), id="K just below 5.0 in mg/dL"),
        pytest.param(ordered("4.0 mmol/L", days_ago=30), id="K of 30 days ago"),
        pytest.param(ordered(egfr="60"), id="eGFR at 60"),
        pytest.param(ordered().takes("diuretic_loop"), id="a loop diuretic"),
        pytest.param(
            given()
            .ordering("diuretic_potassium_sparing")
            .result("potassium", "4.4 mmol/L")
            .result("egfr", f"90 {UNIT}"),
            id="a K-sparing diuretic without potassium",
        ),
        pytest.param(
            given().ordering("potassium", selected=False).has("dialysis"), id="not selected"
        ),
        pytest.param(
            given()
            .ordering("potassium", "diuretic_potassium_sparing")
            .result("potassium", "4.0 mmol/L")
            .result("egfr", f"90 {UNIT}"),
            id="one draft of both kinds is not counted twice",
        ),
    ],
)
def test_silent(case: Given) -> None:
    silent(case.ask(RULE))


def test_creatinine_is_offered_when_renal_function_is_unknown_or_stale() -> None:
    assert "creatinine" in offers(fired(ordered(egfr="").ask(RULE)))
    stale = ordered(egfr="").result("egfr", f"45 {UNIT}", days_ago=120)
    assert "creatinine" in offers(fired(stale.ask(RULE)))
    assert "creatinine" not in offers(fired(ordered(egfr="45").ask(RULE)))
    newer = ordered(egfr="").result("egfr", f"45 {UNIT}", days_ago=9).unusable("creatinine")
    assert "creatinine" in offers(fired(newer.ask(RULE)))


@pytest.mark.parametrize(
    ("potassium", "indicator"),
    [
        ("2.3 mmol/L", WARNING),
        ("3.4 mmol/L", WARNING),
        ("3.5 mmol/L", CRITICAL),
        ("<3.5 mmol/L", WARNING),
        ("13.6 mg/dL", WARNING),
    ],
)
def test_a_recent_low_potassium_lowers_the_severity_of_every_part_and_comes_first(
    potassium: str, indicator: Indicator
) -> None:
    for case in (
        ordered(potassium, egfr="25"),
        ordered(potassium).has("dialysis"),
        ordered(potassium).takes("diuretic_potassium_sparing", name="Spironolactone"),
    ):
        finding = fired(case.ask(RULE))
        assert finding.indicator is indicator
        softened = indicator is WARNING
        assert finding.summary.startswith(f"K {potassium}: replacement needed") is softened
        assert (DRAFT in offers(finding)) is not softened


def sparing(potassium: str = "4.4 mmol/L", egfr: str = "90") -> Given:
    case = given().ordering("diuretic_potassium_sparing", name="Spironolactone 25 MG Oral Tablet")
    if potassium:
        case.result("potassium", potassium)
    return case.result("egfr", f"{egfr} {UNIT}") if egfr else case


@pytest.mark.parametrize(
    ("case", "indicator", "removal"),
    [
        pytest.param(sparing("5.5 mmol/L"), CRITICAL, True, id="K at 5.5"),
        pytest.param(sparing("5.4 mmol/L"), WARNING, True, id="K 5.4 alone"),
        pytest.param(sparing("5.0 mmol/L", "29"), CRITICAL, True, id="K 5.0 and eGFR 29"),
        pytest.param(sparing("4.9 mmol/L", "29"), WARNING, True, id="eGFR 29 alone"),
        pytest.param(sparing("6.4 mmol/L", "15"), CRITICAL, True, id="K 6.4 and eGFR 15"),
        pytest.param(sparing().takes("potassium"), CRITICAL, True, id="potassium taken"),
        pytest.param(sparing().takes("trimethoprim"), WARNING, True, id="trimethoprim taken"),
        pytest.param(
            sparing(egfr="45").takes("raas_inhibitor"), WARNING, True, id="eGFR 45 and ACE"
        ),
        pytest.param(sparing(""), WARNING, True, id="K unknown"),
        pytest.param(sparing(egfr=""), WARNING, True, id="renal function unknown"),
        pytest.param(sparing("3.2 mmol/L", "25"), WARNING, False, id="low K and eGFR 25"),
    ],
)
def test_a_selected_potassium_sparing_diuretic(
    case: Given, indicator: Indicator, removal: bool
) -> None:
    finding = fired(case.ask(RULE))
    assert finding.indicator is indicator
    assert (DRAFT in offers(finding)) is removal
    assert finding.about == (DRAFT,)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(sparing("4.9 mmol/L"), id="K 4.9, normal renal function"),
        pytest.param(sparing(egfr="45"), id="eGFR 45 alone"),
        pytest.param(
            sparing().takes("raas_inhibitor"), id="an ACE inhibitor, normal renal function"
        ),
        pytest.param(sparing("3.2 mmol/L").takes("potassium"), id="it may correct a low K"),
        pytest.param(sparing("3.2 mmol/L", "45").takes("nsaid"), id="a low K with eGFR 45"),
    ],
)
def test_a_potassium_sparing_diuretic_that_is_safe(case: Given) -> None:
    silent(case.ask(RULE))


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(ordered("2.8 mmol/L", egfr="25", days_ago=31), id="too old"),
        pytest.param(ordered("2.8 mmol/L", egfr="25", preliminary=True), id="preliminary"),
        pytest.param(
            ordered("2.8 mmol/L", egfr="25", days_ago=5).unusable("potassium"), id="newer unusable"
        ),
        pytest.param(
            ordered("2.8 mmol/L", egfr="25", day_only=True).result(
                "potassium", "5.1 mmol/L", day_only=True
            ),
            id="another result of the same day is high",
        ),
        pytest.param(
            ordered("2.8 mmol/L", egfr="25", days_ago=5).result(
                "potassium", "5.4 mmol/L", preliminary=True
            ),
            id="a newer preliminary high one",
        ),
    ],
)
def test_a_doubtful_low_potassium_does_not_lower_the_severity(case: Given) -> None:
    assert fired(case.ask(RULE)).indicator is CRITICAL


def test_a_newer_preliminary_value_that_is_equally_low_is_not_a_contradiction() -> None:
    case = ordered("2.8 mmol/L", egfr="25", days_ago=5)
    early = case.result("potassium", "2.9 mmol/L", preliminary=True)
    assert fired(early.ask(RULE)).indicator is WARNING


VERIFY = "Do not give it until"
FIRST = "check potassium and creatinine first"
STILL = "Replacement is needed"


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        pytest.param(lambda: ordered().takes("diuretic_potassium_sparing"), VERIFY, id="K-spar"),
        pytest.param(lambda: ordered("5.2 mmol/L"), VERIFY, id="K high"),
        pytest.param(lambda: ordered(egfr="25"), VERIFY, id="eGFR 25"),
        pytest.param(lambda: ordered(egfr="45"), FIRST, id="eGFR 45"),
        pytest.param(lambda: ordered("2.8 mmol/L", egfr="25"), STILL, id="deficit, eGFR 25"),
        pytest.param(
            lambda: ordered("2.8 mmol/L").takes("diuretic_potassium_sparing"),
            STILL,
            id="deficit, K-sparing",
        ),
    ],
)
def test_the_advice_depends_on_the_hazard(case: object, sentence: str) -> None:
    text = " ".join(fired(case().ask(RULE)).advice)  # type: ignore[operator]
    assert {advice for advice in (VERIFY, FIRST, STILL) if advice in text} == {sentence}


@pytest.mark.parametrize(("drugs", "rest"), [(6, "Drug 6."), (7, "Drug 6 and 1 more.")])
def test_six_drugs_that_raise_potassium_are_named(drugs: int, rest: str) -> None:
    case = ordered()
    for number in range(1, drugs + 1):
        case.takes("nsaid", name=f"Drug {number}")
    assert fired(case.ask(RULE)).advice[-1].endswith(rest)


def test_drugs_that_a_newer_statement_reports_as_stopped_still_count() -> None:
    for kind in ("diuretic_potassium_sparing", "raas_inhibitor", "potassium"):
        fired(ordered().reported_stopped(kind, name="The drug").ask(RULE))
    case = given().ordering("diuretic_potassium_sparing").result("potassium", "4.0 mmol/L")
    case.result("egfr", f"90 {UNIT}").reported_stopped("potassium", name="Klor-Con")
    assert fired(case.ask(RULE)).indicator is CRITICAL


def test_the_evidence_lists_the_drugs_and_the_measurements() -> None:
    case = ordered("5.2 mmol/L").takes("nsaid", name="Naproxen")
    names = {"Potassium chloride 20 MEQ", "Naproxen", "potassium", "egfr"}
    assert evidence_names(fired(case.ask(RULE))) == names
    allowed = silent(ordered("4.0 mmol/L").ask(RULE)).evidence
    assert [evidence.fact.source.reference.split("-")[0] for evidence in allowed] == [
        "Observation/potassium",
        "Observation/egfr",
    ]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        pytest.param(
            lambda: ordered(""), "no potassium result in the last 30 days", id="never measured"
        ),
        pytest.param(
            lambda: ordered("").unusable("potassium"), "potassium could not be checked", id="unread"
        ),
        pytest.param(
            lambda: ordered("").lacking(Kind.RESULTS),
            "potassium could not be checked",
            id="results not sent",
        ),
        pytest.param(
            lambda: ordered("4.0 mmol/L", days_ago=9).unusable("potassium"),
            "potassium could not be checked",
            id="a newer one unread",
        ),
    ],
)
def test_an_unknown_potassium_is_named_as_a_reason_of_its_own(case: object, reason: str) -> None:
    assert fired(case().ask(RULE)).summary.endswith(f"hyperkalaemia: {reason}")  # type: ignore[operator]


def test_only_missing_data_are_named() -> None:
    assert fired(ordered("5.2 mmol/L").ask(RULE)).missing == ()
    assert fired(ordered("5.2 mmol/L", egfr="").ask(RULE)).missing == (
        "renal function in the last 12 months",
    )
    cut = ordered("5.2 mmol/L").lacking(Kind.RESULTS, state=State.PARTIAL, reason="page cut")
    assert fired(cut.ask(RULE)).missing == ("laboratory results could not be checked: page cut",)
    newer = ordered("5.2 mmol/L", days_ago=9).unusable("potassium").unusable("egfr", days_ago=0)
    lines = fired(newer.ask(RULE)).missing
    assert lines[0].startswith("a newer potassium result could not be used")
    assert lines[1].startswith("a newer renal function result could not be used")


def test_a_selected_potassium_sparing_diuretic_with_potassium_is_the_same_hazard() -> None:
    def diuretic() -> Given:
        case = given().ordering("diuretic_potassium_sparing", name="Spironolactone")
        return case.result("potassium", "4.0 mmol/L").result("egfr", f"90 {UNIT}")

    for case in (diuretic().takes("potassium"), diuretic().ordering("potassium", selected=False)):
        finding = fired(case.ask(RULE))
        assert finding.indicator is CRITICAL
        assert DRAFT in offers(finding)
        assert "Spironolactone" in " ".join(finding.advice)
        assert finding.summary.startswith("Spironolactone ordered")
        assert {"Spironolactone", "potassium"} <= evidence_names(finding)
        assert "Also taken or drafted: potassium." in finding.advice
    silent(diuretic().ask(RULE))
    case = ordered().takes("potassium", name="Klor-Con")
    assert "Klor-Con" in evidence_names(fired(case.ask(RULE)))
    named = fired(diuretic().takes("potassium", name="Klor-Con").ask(RULE))
    assert "Klor-Con" in evidence_names(named)
    assert unknown(diuretic().lacking(Kind.MEDICATIONS).ask(RULE)).trigger


def test_both_selected_are_named_and_both_removals_offered() -> None:
    case = ordered().ordering("diuretic_potassium_sparing", name="Amiloride")
    assert fired(case.ask(RULE)).indicator is CRITICAL
    references = {
        offered for offered in offers(fired(case.ask(RULE))) if offered.startswith("Medication")
    }
    assert len(references) == 2


def test_a_preliminary_high_potassium_alone_offers_only_its_repeat() -> None:
    case = ordered("4.0 mmol/L", days_ago=3).result("potassium", "5.4 mmol/L", preliminary=True)
    finding = fired(case.ask(RULE))
    assert finding.indicator is CRITICAL
    assert offers(finding) == {"potassium"}
    assert "preliminary" in finding.summary
    assert finding.advice[0] == "The result is preliminary: repeat it before acting on it."
    assert DRAFT in offers(fired(case.takes("nsaid").ask(RULE)))


def test_a_preliminary_renal_function_alone_offers_only_its_repeat() -> None:
    case = ordered(egfr="").result("egfr", f"25 {UNIT}", preliminary=True)
    finding = fired(case.ask(RULE))
    assert finding.indicator is CRITICAL
    assert offers(finding) == {"creatinine"}
    assert "eGFR 25 (preliminary)" in finding.summary
    assert DRAFT in offers(fired(case.has("ckd_stage_4_5").ask(RULE)))


def test_data_that_were_not_fetched() -> None:
    cut = ordered().lacking(Kind.RESULTS, state=State.PARTIAL, reason="first pages only")
    assert "first pages" in unknown(cut.ask(RULE)).because[0]
    finding = fired(given().ordering("potassium").lacking(Kind.RESULTS).ask(RULE))
    assert "could not be checked" in finding.summary
    for kind in (Kind.MEDICATIONS, Kind.CONDITIONS):
        assert unknown(ordered().lacking(kind).ask(RULE)).trigger
        assert any(
            "could not be checked" in line
            for line in fired(ordered("5.2 mmol/L").lacking(kind).ask(RULE)).missing
        )
    unknown(ordered().lacking(Kind.STATEMENTS, state=State.UNAVAILABLE).ask(RULE))
    newer = ordered().unusable("creatinine", days_ago=0)
    assert unknown(newer.ask(RULE)).trigger


def test_it_fires_under_eighteen() -> None:
    fired(given(age=9).ordering("potassium").has("dialysis").ask(RULE))


@pytest.mark.parametrize(
    ("egfr", "indicator"), [("90", WARNING), ("25", CRITICAL)], ids=["normal", "severe"]
)
def test_a_sparing_diuretic_with_a_preliminary_high_potassium_says_to_repeat_it(
    egfr: str, indicator: Indicator
) -> None:
    case = given().ordering("diuretic_potassium_sparing").result("egfr", f"{egfr} {UNIT}")
    finding = fired(case.result("potassium", "5.2 mmol/L", preliminary=True).ask(RULE))
    assert finding.indicator is indicator
    assert "preliminary" in "\n".join((finding.summary, *finding.advice))
