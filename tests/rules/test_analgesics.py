"""analgesic-use and analgesic-ordered-for-cramps: a table of cases."""

from decimal import Decimal
from fractions import Fraction

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.core.medications import Dosage, Ingredient, Medication, Taking
from cds_service.engine.rule import Indicator
from tests.testing.given import (
    CRAMPS,
    NO_REASON,
    OTHER_REASON,
    Given,
    evidence_names,
    fired,
    given,
    offers,
    silent,
    unknown,
)

USE, ORDERED = "analgesic-use", "analgesic-ordered-for-cramps"
BOTH = [USE, ORDERED]
UNIT = "mL/min/{1.73_m2}"
MILD = ("age 65", "eGFR 59", "eGFR <50", "CKD stage 3")


def healthy(age: int | None = 50) -> Given:
    """Cramps documented, renal function good, nothing else."""
    return given(age=age).cramps().result("egfr", f"90 {UNIT}", days_ago=5)


def with_drug(rule: str, case: Given, *classes: str, **more: object) -> Given:
    """The drug taken, or being ordered, according to the rule."""
    if rule == USE:
        return case.takes(*classes, **more)  # type: ignore[arg-type]
    return case.ordering(*classes, **more)  # type: ignore[arg-type]


def detail_of(finding: object) -> str:
    """The whole detail of a card."""
    return " ".join((*finding.advice, *finding.missing, finding.strength))  # type: ignore[attr-defined]


def finding_drafts(finding: object) -> list[Medication]:
    """The drafts that a finding rests on."""
    facts = [evidence.fact for evidence in finding.evidence]  # type: ignore[attr-defined]
    return [fact for fact in facts if isinstance(fact, Medication) and fact.selected]


FACTORS = [
    pytest.param(lambda: healthy(65), "age 65", id="65 years"),
    pytest.param(lambda: healthy().result("egfr", f"59 {UNIT}"), "eGFR 59", id="eGFR 59"),
    pytest.param(lambda: healthy().result("egfr", f"<50 {UNIT}"), "eGFR <50", id="eGFR <50"),
    pytest.param(lambda: healthy().has("ckd_stage_3"), "CKD stage 3", id="CKD 3"),
    pytest.param(lambda: healthy().has("dialysis"), "dialysis", id="dialysis"),
    pytest.param(lambda: healthy().has("cirrhosis"), "cirrhosis", id="cirrhosis"),
    pytest.param(lambda: healthy().takes("anticoagulant"), "anticoagulant", id="anticoagulant"),
    pytest.param(
        lambda: healthy().takes("diuretic_loop").takes("raas_inhibitor"),
        "a diuretic and a RAAS inhibitor",
        id="a diuretic and a RAAS inhibitor",
    ),
    pytest.param(
        lambda: healthy().takes("diuretic_thiazide", "raas_inhibitor"),
        "a diuretic and a RAAS inhibitor",
        id="both in one tablet",
    ),
]


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(("case", "name"), FACTORS)
def test_an_nsaid_with_any_risk_factor_fires_and_names_the_factor(
    rule: str, case: object, name: str
) -> None:
    finding = fired(with_drug(rule, case(), "nsaid", name="Ibuprofen").ask(rule))  # type: ignore[operator]
    warns = rule == ORDERED or name not in MILD
    assert finding.indicator is (Indicator.WARNING if warns else Indicator.INFO)
    assert name in finding.summary
    assert name in detail_of(finding)
    assert "ineffective" not in detail_of(finding)
    drafts = {draft.source.reference for draft in finding_drafts(finding)}
    assert offers(finding) == drafts == set(finding.about)
    assert bool(drafts) is (rule == ORDERED)


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(lambda: healthy(64), id="64 years"),
        pytest.param(lambda: healthy(None), id="age unknown"),
        pytest.param(lambda: healthy().result("egfr", f"60 {UNIT}"), id="eGFR 60"),
        pytest.param(lambda: healthy().result("egfr", f">60 {UNIT}"), id="eGFR >60"),
        pytest.param(
            lambda: healthy().has("cirrhosis", presence=Presence.SUSPECTED),
            id="cirrhosis only suspected",
        ),
        pytest.param(lambda: healthy().takes("diuretic_loop"), id="a diuretic alone"),
        pytest.param(lambda: healthy().takes("raas_inhibitor"), id="a RAAS inhibitor alone"),
        pytest.param(
            lambda: healthy().takes("anticoagulant", taking=Taking.STOPPED), id="one stopped"
        ),
        pytest.param(lambda: healthy().has("liver_disease"), id="other liver disease"),
    ],
)
def test_an_nsaid_without_a_risk_factor_is_silent(rule: str, case: object) -> None:
    silent(with_drug(rule, case(), "nsaid", name="Ibuprofen").ask(rule))  # type: ignore[operator]


@pytest.mark.parametrize("rule", BOTH)
def test_the_evidence_lists_the_drugs_and_every_risk_factor(rule: str) -> None:
    case = healthy().has("cirrhosis", name="Cirrhosis").takes("anticoagulant", name="Warfarin")
    case.takes("diuretic_loop", name="Furosemide").takes("raas_inhibitor", name="Lisinopril")
    case.result("egfr", f"40 {UNIT}")
    with_drug(rule, case, "acetaminophen", name="Paracetamol")
    finding = fired(with_drug(rule, case, "nsaid", name="Ibuprofen").ask(rule))
    factors = {"Cirrhosis", "Warfarin", "Furosemide", "Lisinopril", "egfr"}
    assert evidence_names(finding) == {"Ibuprofen", "Paracetamol", *factors}
    assert "eGFR 40, cirrhosis, warfarin" in finding.summary


@pytest.mark.parametrize("rule", BOTH)
def test_a_drug_that_a_newer_statement_reports_as_stopped_is_still_a_risk_factor(rule: str) -> None:
    case = healthy().reported_stopped("anticoagulant", name="Warfarin")
    assert "warfarin" in fired(with_drug(rule, case, "nsaid").ask(rule)).summary


@pytest.mark.parametrize("rule", BOTH)
def test_acetaminophen_fires_only_in_cirrhosis_and_as_info(rule: str) -> None:
    silent(with_drug(rule, healthy(80).takes("anticoagulant"), "acetaminophen").ask(rule))
    finding = fired(with_drug(rule, healthy().has("cirrhosis"), "acetaminophen").ask(rule))
    assert finding.indicator is Indicator.INFO
    assert "2 g/day" in finding.summary
    assert "safer there than an NSAID" in detail_of(finding)
    with_acetaminophen = with_drug(rule, healthy().has("cirrhosis"), "acetaminophen")
    assert (
        fired(with_drug(rule, with_acetaminophen, "nsaid").ask(rule)).indicator is Indicator.WARNING
    )


@pytest.mark.parametrize("rule", BOTH)
def test_cannot_tell_when_a_risk_factor_could_be_hidden(rule: str) -> None:
    def nsaid(case: Given) -> Given:
        return with_drug(rule, case, "nsaid", name="Ibuprofen")

    ordered = rule == ORDERED
    unmeasured = unknown(nsaid(given().cramps()).ask(rule))
    assert "renal function" in unmeasured.because[0]
    assert not unmeasured.trigger
    results = unknown(nsaid(given().cramps().lacking(Kind.RESULTS)).ask(rule))
    assert results.trigger is ordered
    assert "12 months" not in " ".join(results.because)
    unreadable = unknown(nsaid(given().cramps().unusable("egfr")).ask(rule))
    assert unreadable.problems
    partly = healthy().lacking(Kind.CONDITIONS, state=State.PARTIAL)
    assert unknown(nsaid(partly).ask(rule)).trigger is ordered
    assert unknown(
        with_drug(
            rule, healthy().lacking(Kind.CONDITIONS, state=State.PARTIAL), "acetaminophen"
        ).ask(rule)
    ).because
    finding = fired(nsaid(given(age=70).cramps().lacking(Kind.RESULTS)).ask(rule))
    assert "laboratory results could not be checked" in detail_of(finding)


def test_a_preliminary_egfr_raises_severity_for_an_order_but_not_for_drugs_taken() -> None:
    def early() -> Given:
        return healthy().result("egfr", f"40 {UNIT}", preliminary=True)

    assert "preliminary" in fired(with_drug(ORDERED, early(), "nsaid").ask(ORDERED)).summary
    unknown(with_drug(USE, early(), "nsaid").ask(USE))
    worse = healthy().result("egfr", f"20 {UNIT}", preliminary=True)
    assert "preliminary" in fired(with_drug(USE, worse, "nsaid").ask(USE)).summary


def aspirin(amount: str, unit: str = "mg", per_day: int = 1) -> Dosage:
    """An amount of aspirin, a number of times a day."""
    return Dosage(Decimal(amount), unit, Fraction(per_day))


@pytest.mark.parametrize("rule", BOTH)
@pytest.mark.parametrize(
    ("more", "counts"),
    [
        pytest.param({"dosages": (aspirin("81"),)}, False, id="81 mg"),
        pytest.param({"dosages": (aspirin("100"),)}, False, id="100 mg"),
        pytest.param({"dosages": (aspirin("101"),)}, True, id="101 mg"),
        pytest.param({"dosages": (aspirin("500", per_day=3),)}, True, id="1500 mg"),
        pytest.param({}, True, id="dose unknown"),
        pytest.param(
            {
                "dosages": (aspirin("1", "tablet"),),
                "ingredients": (Ingredient("aspirin", Decimal(75), "mg"),),
            },
            False,
            id="one tablet of 75 mg",
        ),
        *(
            pytest.param(
                {"name": f"{name} 81 MG Oral Tablet", "dosages": (aspirin("1", "tablet"),)},
                False,
                id=f"one tablet of 81 mg by its name, {name}",
            )
            for name in ("Aspirin", "ASA aspirin", "Ecotrin", "Acetylsalicylic acid")
        ),
        pytest.param(
            {"name": "Naproxen 81 MG Oral Tablet", "dosages": (aspirin("1", "tablet"),)},
            True,
            id="the same amount of another drug",
        ),
    ],
)
def test_aspirin_up_to_a_hundred_milligrams_is_not_an_analgesic(
    rule: str, more: dict[str, object], counts: bool
) -> None:
    answer = with_drug(rule, healthy(70), "nsaid", **{"name": "Aspirin", **more}).ask(rule)
    (fired if counts else silent)(answer)


@pytest.mark.parametrize("rule", BOTH)
def test_low_dose_aspirin_combinations_and_topical_forms(rule: str) -> None:
    mixed = with_drug(
        rule, healthy(70), "nsaid", name="Ibuprofen / aspirin", dosages=(aspirin("81"),)
    )
    fired(mixed.ask(rule))
    gel = Dosage(route="topical route")
    silent(with_drug(rule, healthy(70), "nsaid", name="Diclofenac", dosages=(gel,)).ask(rule))
    oral = Dosage(route="oral route")
    fired(with_drug(rule, healthy(70), "nsaid", name="Diclofenac", dosages=(oral,)).ask(rule))


@pytest.mark.parametrize("taking", [Taking.STOPPED, Taking.NOT_TAKEN, Taking.DRAFT])
def test_only_active_analgesics_are_in_use(taking: Taking) -> None:
    silent(healthy(70).takes("nsaid", taking=taking).ask(USE))
    silent(healthy(70).ask(USE))
    assert unknown(healthy(70).lacking(Kind.MEDICATIONS).ask(USE)).because


def test_analgesic_use_fires_without_cramps_only_as_a_warning() -> None:
    silent(given(age=70).takes("nsaid").ask(USE))
    fired(given(age=70).encounter_for(CRAMPS).takes("nsaid").ask(USE))
    no_list = given(age=70).takes("nsaid").lacking(Kind.CONDITIONS)
    assert "leg cramps" in unknown(no_list.ask(USE)).because[0]
    silent(given().takes("nsaid").result("egfr", f"45 {UNIT}").ask(USE))
    silent(given().takes("acetaminophen").has("cirrhosis").ask(USE))
    for case in (
        given().result("egfr", f"29 {UNIT}"),
        given().has("ckd_stage_4_5"),
        given().has("aki", presence=Presence.SUSPECTED),
        given().has("cirrhosis"),
        given().takes("anticoagulant"),
        given().takes("diuretic_thiazide").takes("raas_inhibitor"),
    ):
        assert fired(case.takes("nsaid").ask(USE)).indicator is Indicator.WARNING


def test_from_age_65_the_article_recommends_a_multimodal_approach() -> None:
    for rule in BOTH:
        assert "multimodal" in detail_of(fired(with_drug(rule, healthy(65), "nsaid").ask(rule)))
        younger = with_drug(rule, healthy(64).takes("anticoagulant"), "nsaid")
        assert "multimodal" not in detail_of(fired(younger.ask(rule)))


@pytest.mark.parametrize(
    ("reason", "documented", "fires"),
    [
        pytest.param(CRAMPS, False, True, id="cramps are the reason"),
        pytest.param(NO_REASON, True, True, id="no reason, cramps documented"),
        pytest.param(NO_REASON, False, False, id="no reason, no cramps"),
        pytest.param(OTHER_REASON, True, False, id="another reason"),
    ],
)
def test_only_an_analgesic_for_cramps_is_judged(
    reason: object, documented: bool, fires: bool
) -> None:
    case = given(age=70).cramps() if documented else given(age=70)
    answer = case.ordering("nsaid", reason=reason).ask(ORDERED)  # type: ignore[arg-type]
    (fired if fires else silent)(answer)


def test_cannot_tell_when_the_purpose_of_the_order_cannot_be_read() -> None:
    answer = unknown(given(age=70).lacking(Kind.CONDITIONS).ordering("nsaid").ask(ORDERED))
    assert answer.trigger
    fired(given(age=70).lacking(Kind.CONDITIONS).ordering("nsaid", reason=CRAMPS).ask(ORDERED))


def test_other_drafts_count_as_risk_factors_and_only_selected_drafts_are_judged() -> None:
    case = healthy().ordering("nsaid", name="Ibuprofen")
    assert (
        "anticoagulant"
        in fired(case.ordering("anticoagulant", selected=False).ask(ORDERED)).summary
    )
    silent(healthy(70).ordering("nsaid", selected=False).ask(ORDERED))


@pytest.mark.parametrize("rule", BOTH)
def test_minors_and_deceased_patients_get_no_card(rule: str) -> None:
    child = given(age=12).cramps().has("cirrhosis")
    silent(with_drug(rule, child, "nsaid").ask(rule))
    dead = given(deceased=True).cramps().has("cirrhosis")
    silent(with_drug(rule, dead, "nsaid").ask(rule))


def test_one_card_names_all_drafts() -> None:
    two = healthy(70).ordering("nsaid", name="Ibuprofen").ordering("nsaid", name="Naproxen")
    assert "Ibuprofen, Naproxen" in detail_of(fired(two.ask(ORDERED)))
