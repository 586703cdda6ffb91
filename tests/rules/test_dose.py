"""Daily amounts: tablets, ranges, as-needed doses, steps, and the arithmetic of salts."""

from dataclasses import replace as changed
from decimal import Decimal
from fractions import Fraction

import pytest
from msgspec.structs import replace

from cds_service.core.facts import KnownDesignation, Source
from cds_service.core.medications import Dosage, Ingredient, Medication, Taking
from cds_service.core.quantities import rounded
from hooks.dose import Daily, daily_amount, salts

OXIDE = salts()["magnesium_oxide"]


def order(name: str, *dosages: Dosage, ingredients: tuple[Ingredient, ...] = ()) -> Medication:
    return Medication(
        classes=frozenset({"magnesium"}),
        designation=KnownDesignation(name, name.lower()),
        taking=Taking.DRAFT,
        source=Source("MedicationRequest/1"),
        dosages=dosages,
        ingredients=ingredients,
    )


def dose(amount: str | None, unit: str, per_day: int | Fraction | None = 1) -> Dosage:
    return Dosage(
        amount=None if amount is None else Decimal(amount),
        amount_unit=unit,
        per_day=None if per_day is None else Fraction(per_day),
    )


def oxide(name: str, *dosages: Dosage, ingredients: tuple[Ingredient, ...] = ()) -> Daily:
    return daily_amount(order(name, *dosages, ingredients=ingredients), OXIDE.names, OXIDE)


@pytest.mark.parametrize(
    ("mmol", "salt", "elemental"),
    [pytest.param(12, 484, 292, id="12 mmol"), pytest.param(24, 967, 583, id="24 mmol")],
)
def test_the_range_of_the_card_is_the_arithmetic_of_the_salt(
    mmol: int, salt: int, elemental: int
) -> None:
    mass = OXIDE.salt_mg(Fraction(mmol))
    assert rounded(mass, 0) == salt
    assert rounded(OXIDE.elemental(mass), 0) == elemental
    assert OXIDE.mmol(mass) == mmol


@pytest.mark.parametrize(
    ("name", "dosage", "mg"),
    [
        pytest.param("magnesium oxide", dose("400", "mg", 2), 800, id="milligrams twice a day"),
        pytest.param("magnesium oxide", dose("0.5", "g"), 500, id="grams"),
        pytest.param("magnesium oxide", dose("250000", "ug"), 250, id="micrograms"),
        pytest.param("Magnesium Oxide 400 MG Oral Tablet", dose("2", "{tbl}"), 800, id="tablets"),
        pytest.param(
            "magnesium oxide 400mg tabs", dose("1", "TAB"), 400, id="a strength without a space"
        ),
        pytest.param("magnesium oxide 400 mg", dose("1", "Oral Tablet"), 400, id="an oral tablet"),
        pytest.param("Mag-Ox 400 mg", dose("1", "tablet(s)"), 400, id="a brand with its strength"),
        pytest.param(
            "magnesium oxide 400 mg (241.3 mg magnesium) tablet",
            dose("1", "tablet"),
            400,
            id="the first strength is the salt's",
        ),
        pytest.param(
            "Magnesium Oxide 362 MG / Vitamin B6 20 MG Oral Tablet",
            dose("1", "tablet"),
            362,
            id="a combination counts its own part",
        ),
        pytest.param(
            "Vitamin B6 20 MG / Magnesium Oxide 362 MG Oral Tablet",
            dose("1", "tablet"),
            362,
            id="a combination in the other order",
        ),
        pytest.param(
            "Magnesium Oxide 400 MG / Elemental Iron 5 MG",
            dose("1", "tablet"),
            400,
            id="elemental is said of the other part of the combination",
        ),
        pytest.param(
            "magnesium oxide 60 tablets 400 mg",
            dose("1", "tablet"),
            400,
            id="a pack size is not a strength",
        ),
        pytest.param(
            "magnesium oxide tablets mg 400 mg",
            dose("1", "tablet"),
            400,
            id="a unit without a number is not a strength",
        ),
        pytest.param("magnesium oxide 200 mg/5 mL", dose("10", "mL"), 400, id="a liquid"),
        pytest.param(
            "magnesium oxide", dose("400", "mg", Fraction(1, 2)), 200, id="alternate days"
        ),
    ],
)
def test_what_can_be_computed(name: str, dosage: Dosage, mg: int) -> None:
    assert oxide(name, dosage) == Daily(Fraction(mg), Fraction(mg))


@pytest.mark.parametrize(
    ("units", "mg"),
    [
        ("mg milligram milligrams", 2),
        ("g gm gram grams", 2000),
        ("ug µg μg mcg", Fraction(2, 1000)),
        ("mmol millimole millimoles", 2 * OXIDE.mass),
        ("meq mval milliequivalent milliequivalents", OXIDE.mass),
    ],
)
def test_every_spelling_of_a_unit_has_its_factor(units: str, mg: Fraction) -> None:
    for unit in units.split():
        assert oxide("magnesium oxide", dose("2", unit)).most == mg, unit


_PIECES = """1 each ea tablet tablets tab tabs tbl tbs capsule capsules cap caps pill pills ortab
ercap ertab chewtab chewable caplet caplets softgel sachet sachets packet packets pkt"""


def test_every_word_for_a_piece_counts_by_the_strength() -> None:
    for word in _PIECES.split():
        assert oxide("magnesium oxide 400 mg", dose("2", word)).most == 800, word
        parts = (Ingredient("magnesium oxide", Decimal(400), f"mg/{word}"),)
        assert oxide("a brand", dose("2", "tablet"), ingredients=parts).most == 800, word


def test_every_word_for_a_millilitre_counts_by_the_strength_of_the_liquid() -> None:
    for word in ("ml", "milliliter", "milliliters", "millilitre", "millilitres"):
        assert oxide("magnesium oxide 200 mg/5 mL", dose("10", word)).most == 400, word


def test_molar_amounts_become_salt() -> None:
    assert oxide("magnesium oxide", dose("12", "mmol")).most == 12 * OXIDE.mass
    assert oxide("magnesium oxide", dose("24", "mEq")).most == 12 * OXIDE.mass


def test_a_salt_with_two_atoms_of_its_mineral_contains_twice_as_much() -> None:
    salt = changed(OXIDE, mass=Fraction(100), element=Fraction(24), atoms=2)
    assert salt.mmol(Fraction(50)) == 1
    assert salt.elemental(Fraction(50)) == 24
    assert salt.salt_mg(Fraction(1)) == 50


def test_elemental_milligrams_become_salt() -> None:
    daily = oxide("magnesium oxide 243.05 mg elemental", dose("1", "tablet"))
    assert daily.most == Fraction("403.04")


def test_a_mineral_given_as_a_salt_is_milligrams_of_the_mineral() -> None:
    name = "Magnesium (as magnesium oxide) 243.05 MG Oral Tablet"
    assert oxide(name, dose("1", "tablet")).most == Fraction("403.04")
    as_needed = oxide("Magnesium oxide 400 MG Oral Tablet as needed", dose("1", "tablet"))
    assert as_needed.most == Fraction(400)


def test_the_first_text_that_names_the_drug_decides_whether_its_milligrams_are_elemental() -> None:
    medication = order("magnesium oxide 243.05 mg elemental", dose("1", "tablet"))
    daily = daily_amount(
        replace(medication, designation=KnownDesignation(medication.name, "magnesium oxide")),
        OXIDE.names,
        OXIDE,
    )
    assert daily.most == Fraction("403.04")


def test_elemental_milligrams_of_an_unnamed_salt_are_not_milligrams_of_a_salt() -> None:
    daily = daily_amount(order("magnesium 100 mg elemental", dose("1", "tablet")), ("magnesium",))
    assert (daily.start, daily.most) == (None, None)
    assert "as the mineral" in daily.unknown_because


def test_the_strength_of_the_ingredient_counts_before_the_name() -> None:
    parts = (
        Ingredient("vitamin B6", Decimal(20), "mg"),
        Ingredient("Magnesium oxide", Decimal(362), "mg"),
    )
    assert oxide("Beelith", dose("1", "TAB"), ingredients=parts).most == 362
    liquid = (Ingredient("magnesium oxide", Decimal(40), "mg/mL"),)
    assert oxide("a syrup", dose("10", "mL"), ingredients=liquid).most == 400
    hourly = (Ingredient("magnesium oxide", Decimal(40), "mg/h"),)
    assert "strength" in oxide("a patch", dose("1", "each"), ingredients=hourly).unknown_because


@pytest.mark.parametrize(
    ("name", "dosages", "why"),
    [
        pytest.param("magnesium oxide", (), "no dose", id="no instruction"),
        pytest.param("magnesium oxide", (dose(None, "mg"),), "amount", id="no amount"),
        pytest.param("magnesium oxide", (dose("400", "mg", None),), "often", id="no frequency"),
        pytest.param("magnesium oxide", (dose("1", "TAB"),), "strength", id="no strength"),
        pytest.param("magnesium oxide 40 mg/mL", (dose("1", "TAB"),), "strength", id="a mismatch"),
        pytest.param("magnesium oxide", (dose("400", ""),), "no unit", id="no unit"),
        pytest.param("magnesium oxide", (dose("2", "puffs"),), "puffs", id="an unknown unit"),
        pytest.param(
            "magnesium oxide",
            (dose("400", "mg"), dose("400", "mg", None)),
            "often",
            id="one of two instructions",
        ),
        pytest.param(
            "magnesium oxide",
            (dose("400", "mg", None), dose("400", "mg")),
            "often",
            id="the first of two instructions",
        ),
    ],
)
def test_what_is_missing_is_reported(name: str, dosages: tuple[Dosage, ...], why: str) -> None:
    daily = oxide(name, *dosages)
    assert daily.most is None
    assert why in daily.unknown_because


def test_instructions_of_one_step_add_up_and_steps_do_not() -> None:
    together = daily_amount(
        order("baclofen", dose("5", "mg"), dose("10", "mg")),
        ("baclofen",),
    )
    assert together == Daily(Fraction(15), Fraction(15))
    steps = [
        replace(dose("10", "mg", times), sequence=number)
        for number, times in enumerate((1, 2, 3), start=1)
    ]
    assert daily_amount(order("baclofen", *reversed(steps)), ("baclofen",)) == Daily(
        Fraction(10), Fraction(30)
    )
    open_ended = (steps[0], replace(steps[1], per_day=None))
    daily = daily_amount(order("baclofen", *open_ended), ("baclofen",))
    assert (daily.start, daily.most) == (10, None)


def test_an_as_needed_dose_counts_by_its_upper_bound_or_else_by_its_frequency() -> None:
    often = replace(dose("10", "mg", 4), as_needed=True)
    assert daily_amount(order("baclofen", often), ("baclofen",)).most == 40
    bound = replace(often, max_per_day=Fraction(2), max_unit="tablet")
    assert daily_amount(order("baclofen 10 mg", bound), ("baclofen",)).most == 20
    assert daily_amount(order("baclofen", replace(often, per_day=None)), ("baclofen",)).most is None


def test_a_molar_unit_means_nothing_without_a_salt() -> None:
    assert (
        "mmol" in daily_amount(order("baclofen", dose("1", "mmol")), ("baclofen",)).unknown_because
    )


@pytest.mark.parametrize(
    ("name", "is_oxide"),
    [
        ("Magnesium Oxide 400 MG Oral Capsule", True),
        ("MgO 500 mg", True),
        ("magnesium citrate 200 mg", False),
        ("magnesium", False),
    ],
)
def test_which_products_are_magnesium_oxide(name: str, is_oxide: bool) -> None:
    assert OXIDE.is_in(order(name)) is is_oxide


@pytest.mark.parametrize(
    "code",
    [
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "6582"),
        ("http://www.whocc.no/atc", "A12CC10"),
    ],
)
def test_a_code_alone_names_the_salt(code: tuple[str, str]) -> None:
    assert OXIDE.is_in(
        replace(
            order("tablets"), designation=KnownDesignation("tablets", identity=frozenset({code}))
        )
    )
