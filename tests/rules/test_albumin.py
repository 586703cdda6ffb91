"""albumin-ordered-without-cirrhosis: a table of cases."""

import pytest

from cds_service.core.facts import Kind, Presence, State
from cds_service.core.medications import Taking
from cds_service.engine.rule import Indicator
from tests.testing.given import (
    CRAMPS,
    NO_REASON,
    OTHER_REASON,
    Given,
    evidence_names,
    fired,
    given,
    orders_offered,
    silent,
    unknown,
)

RULE = "albumin-ordered-without-cirrhosis"
DIURETICS = ["diuretic_loop", "diuretic_thiazide", "diuretic_potassium_sparing"]


def albumin(case: Given | None = None, reason: object = CRAMPS) -> Given:
    """Albumin being ordered for cramps."""
    return (case or given()).ordering("albumin", reason=reason)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "indicator"),
    [
        pytest.param(given, Indicator.WARNING, id="no cirrhosis"),
        pytest.param(lambda: given().has("ascites"), Indicator.WARNING, id="ascites alone"),
        pytest.param(
            lambda: given().takes("diuretic_loop"), Indicator.WARNING, id="a diuretic alone"
        ),
        pytest.param(
            lambda: given().has("cirrhosis", presence=Presence.SUSPECTED).has("ascites"),
            Indicator.WARNING,
            id="cirrhosis only suspected",
        ),
        pytest.param(
            lambda: given().has("cirrhosis", presence=Presence.PAST).has("ascites"),
            Indicator.WARNING,
            id="cirrhosis in the past",
        ),
        pytest.param(lambda: given().has("cirrhosis"), Indicator.INFO, id="cirrhosis alone"),
        pytest.param(
            lambda: given().has("cirrhosis").has("ascites", presence=Presence.PAST),
            Indicator.INFO,
            id="ascites in the past",
        ),
        pytest.param(
            lambda: given().has("cirrhosis").takes("diuretic_loop", taking=Taking.STOPPED),
            Indicator.INFO,
            id="diuretic stopped",
        ),
    ],
)
def test_fires(case: object, indicator: Indicator) -> None:
    finding = fired(albumin(case()).ask(RULE))  # type: ignore[operator]
    assert finding.indicator is indicator
    assert orders_offered(finding) == set()
    assert "20–40" in finding.advice[0]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(lambda: given().has("cirrhosis").has("ascites"), id="with ascites"),
        *(
            pytest.param(lambda kind=kind: given().has("cirrhosis").takes(kind), id=f"with {kind}")
            for kind in DIURETICS
        ),
        pytest.param(
            lambda: given().has("cirrhosis").ordering("diuretic_loop", selected=False),
            id="with a drafted diuretic",
        ),
        pytest.param(
            lambda: given().has("cirrhosis", presence=Presence.ASSUMED).has("ascites"),
            id="cirrhosis without a status",
        ),
        pytest.param(lambda: given(age=12), id="under 18"),
        pytest.param(lambda: given(deceased=True), id="deceased"),
    ],
)
def test_silent(case: object) -> None:
    silent(albumin(case()).ask(RULE))  # type: ignore[operator]


@pytest.mark.parametrize("reason", [NO_REASON, OTHER_REASON])
def test_only_the_reason_given_on_the_order_counts(reason: object) -> None:
    silent(albumin(given().cramps(), reason).ask(RULE))
    silent(albumin(given().at(cramps_assumed=True), reason).ask(RULE))


def test_the_evidence_lists_liver_disease_and_diuretics() -> None:
    case = albumin(given().has("ascites", name="Ascites").takes("diuretic_loop", name="Furosemide"))
    assert {"Ascites", "Furosemide"} <= evidence_names(fired(case.ask(RULE)))
    case = albumin(given().has("cirrhosis", name="Cirrhosis"))
    finding = fired(case.ask(RULE))
    assert "Cirrhosis" in evidence_names(finding)
    assert finding.advice[1] == "Discuss it with hepatology first."
    assert "document it and discuss" in fired(albumin().ask(RULE)).advice[1]
    lists = given().has("cirrhosis", name="Cirrhosis").lacking(Kind.MEDICATIONS)
    evidence = unknown(albumin(lists).ask(RULE)).evidence
    assert [line.fact.name for line in evidence] == ["albumin", "Cirrhosis"]  # type: ignore[union-attr]


def test_a_second_drug_ordered_for_cramps_does_not_imply_that_albumin_is_for_cramps() -> None:
    silent(given().ordering("albumin").ordering("quinine", reason=CRAMPS).ask(RULE))


def test_cannot_tell_when_data_were_not_read() -> None:
    assert unknown(albumin(given().lacking(Kind.CONDITIONS)).ask(RULE)).trigger
    partly = given().has("cirrhosis").lacking(Kind.CONDITIONS, state=State.PARTIAL)
    assert unknown(albumin(partly).ask(RULE)).trigger
    lists = given().has("cirrhosis").lacking(Kind.MEDICATIONS)
    assert unknown(albumin(lists).ask(RULE)).trigger
    settled = given().has("cirrhosis", "ascites").lacking(Kind.MEDICATIONS)
    silent(albumin(settled).ask(RULE))
    assert fired(albumin(given().lacking(Kind.MEDICATIONS)).ask(RULE))


def test_only_selected_albumin_is_judged_and_one_card_names_all() -> None:
    silent(given().ordering("albumin", reason=CRAMPS, selected=False).ask(RULE))
    two = given().ordering("albumin", name="A", reason=CRAMPS)
    finding = fired(two.ordering("albumin", name="B", reason=CRAMPS).ask(RULE))
    assert [evidence.fact.name for evidence in finding.evidence] == ["A", "B"]  # type: ignore[union-attr]
