"""What a patient takes: which newer statement ends an older entry, and which does not."""

import pytest
from msgspec.structs import replace

from cds_service.core.facts import KnownDesignation
from cds_service.core.medications import Taking
from cds_service.core.times import days
from tests.testing.given import Given, given


def statin() -> Given:
    return given().takes("statin", name="Simvastatin", days_ago=30)


def stopped(name: str = "Simvastatin", days_ago: int = 3, **more: object) -> Given:
    """A statin of 30 days ago, then a statement of some days ago that it was stopped."""
    case = statin()
    case.takes("statin", name=name, taking=Taking.STOPPED, statement=True, days_ago=days_ago)
    case.medications[-1] = replace(case.medications[-1], **more)  # type: ignore[arg-type]
    return case


@pytest.mark.parametrize(
    ("case", "taken"),
    [
        pytest.param(statin(), True, id="nothing newer"),
        pytest.param(stopped(), False, id="stopped later"),
        pytest.param(stopped(taking=Taking.NOT_TAKEN), False, id="said later not to be taken"),
        pytest.param(stopped(days_ago=40), True, id="stopped before it was ordered"),
        pytest.param(stopped(days_ago=30), True, id="stopped on the very same day"),
        pytest.param(stopped(when=None), True, id="stopped on an unknown day"),
        pytest.param(stopped(statement=False), True, id="another order that was stopped"),
        pytest.param(stopped(name="Atorvastatin"), True, id="another drug of the class stopped"),
    ],
)
def test_a_newer_statement_ends_an_entry_of_the_same_drug(case: Given, taken: bool) -> None:
    facts = case.facts()
    assert bool(facts.taking("statin")) is taken
    assert facts.taking("statin", hazard=True)


def test_the_same_code_under_another_name_is_the_same_drug() -> None:
    code = frozenset({("http://www.nlm.nih.gov/research/umls/rxnorm", "36567")})
    case = stopped(designation=KnownDesignation("Zocor", identity=code))
    assert case.facts().taking("statin")
    case.medications[0] = replace(
        case.medications[0], designation=KnownDesignation("Simvastatin", identity=code)
    )
    assert not case.facts().taking("statin")


def test_an_entry_without_a_date_is_not_ended() -> None:
    case = stopped()
    case.medications[0] = replace(case.medications[0], when=None)
    assert case.facts().taking("statin")


def test_a_window_counts_days_and_a_missing_result_is_outside_it() -> None:
    facts = given().result("potassium", "4.0 mmol/L", days_ago=30).facts()
    (result,) = facts.series["potassium"].finals()
    assert facts.within(result, days(30))
    assert not facts.within(result, days(29))
    assert not facts.within(None, days(30))
