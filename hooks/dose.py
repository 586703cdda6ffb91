"""The exact daily dose of an order, or why it cannot be computed.

Tablets are converted by their strength, taken from the ingredient or the name. A range counts by
its upper end; an as-needed order by its daily maximum, else by its frequency. If anything is
missing, the dose is unknown, never zero.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources

from msgspec import Struct

from cds_service.core.medications import Dosage, Medication
from cds_service.terminology.wording import PatternIndex, Words, read_pattern, split_words

_MG = {
    "mg": Fraction(1),
    "milligram": Fraction(1),
    "milligrams": Fraction(1),
    "g": Fraction(1000),
    "gm": Fraction(1000),
    "gram": Fraction(1000),
    "grams": Fraction(1000),
    "ug": Fraction(1, 1000),
    "µg": Fraction(1, 1000),
    "μg": Fraction(1, 1000),
    "mcg": Fraction(1, 1000),
}
_MMOL = frozenset({"mmol", "millimole", "millimoles"})
_MEQ = frozenset({"meq", "mval", "milliequivalent", "milliequivalents"})
_ML = frozenset({"ml", "milliliter", "milliliters", "millilitre", "millilitres"})
_COUNT = frozenset(
    [
        "1",
        "each",
        "ea",
        "tablet",
        "tablets",
        "tab",
        "tabs",
        "tbl",
        "tbs",
        "capsule",
        "capsules",
        "cap",
        "caps",
        "pill",
        "pills",
        "ortab",
        "ercap",
        "ertab",
        "chewtab",
        "chewable",
        "caplet",
        "caplets",
        "softgel",
        "sachet",
        "sachets",
        "packet",
        "packets",
        "pkt",
    ]
)


@dataclass(frozen=True, slots=True)
class Salt:
    """One mineral salt: ``mass`` and ``element`` in g/mol, and its ``atoms`` of the mineral.

    ``valence`` is the mEq in one mmol of the mineral; ``names`` are patterns, ``codes`` pairs of
    system and ingredient code; ``source`` says where the masses come from.
    """

    name: str
    mass: Fraction
    element: Fraction
    atoms: int
    valence: int
    names: tuple[str, ...]
    codes: frozenset[tuple[str, str]]
    source: str

    def mmol(self, mg: Fraction) -> Fraction:
        """The mmol of the mineral in ``mg`` of the salt."""
        return mg * self.atoms / self.mass

    def elemental(self, mg: Fraction) -> Fraction:
        """The milligrams of the mineral in ``mg`` of the salt."""
        return self.mmol(mg) * self.element

    def salt_mg(self, mmol: Fraction) -> Fraction:
        """The milligrams of the salt that contain ``mmol`` of the mineral."""
        return mmol * self.mass / self.atoms

    def is_in(self, medication: Medication) -> bool:
        """Whether the medication is this salt, by code, ingredient or name."""
        if medication.identity & self.codes:
            return True
        texts = (medication.name, medication.words, *(i.name for i in medication.ingredients))
        return any(_name_end(text, self.names) is not None for text in texts)


@cache
def salts() -> Mapping[str, Salt]:
    """Every salt by key."""
    text = resources.files("hooks.knowledge").joinpath("salts.toml").read_text(encoding="utf-8")
    return {
        key: Salt(
            name=entry["name"],
            mass=Fraction(entry["mass"]),
            element=Fraction(entry["element"]),
            atoms=entry["atoms"],
            valence=entry["valence"],
            names=tuple(entry["names"]),
            codes=frozenset((system, code) for system, code in entry["codes"]),
            source=entry["source"],
        )
        for key, entry in tomllib.loads(text).items()
    }


class Daily(Struct, frozen=True):
    """Milligrams a day of one ingredient (for a salt: of the salt, not of the mineral).

    ``start`` is the first step of a stepwise order, ``most`` its highest; with a single step
    they are the same. Either is None if it cannot be computed; ``unknown_because`` then says why.
    """

    start: Fraction | None
    most: Fraction | None
    unknown_because: str = ""


def daily_amount(medication: Medication, names: Sequence[str], salt: Salt | None = None) -> Daily:
    """Milligrams a day of the ingredient with one of the ``names``.

    The names are patterns (see `terminology.wording`). The instructions of one step add up. With
    ``salt``, amounts in mmol, in mEq and of the elemental mineral can be converted.
    """
    if not medication.dosages:
        return Daily(None, None, "the order gives no dose")
    product = _product(medication, tuple(names))
    steps: dict[int, Fraction | str] = {}
    for dosage in medication.dosages:
        step = dosage.sequence or 0
        amount = _daily_milligrams(dosage, product, salt)
        total_so_far = steps.get(step, Fraction(0))
        if isinstance(total_so_far, str):
            continue
        steps[step] = amount if isinstance(amount, str) else total_so_far + amount
    known = [amount for amount in steps.values() if not isinstance(amount, str)]
    unknown_because = next((reason for reason in steps.values() if isinstance(reason, str)), "")
    first = steps[min(steps)]
    return Daily(
        start=None if isinstance(first, str) else first,
        most=None if unknown_because else max(known),
        unknown_because=unknown_because,
    )


class _Strength(Struct, frozen=True):
    amount: Fraction
    unit: str
    per: str  # "" for one unit of the product, such as a tablet; "ml" for one millilitre


class _Product(Struct, frozen=True):
    strength: _Strength | None
    elemental: bool  # the milligrams are those of the mineral, not of the salt


def _daily_milligrams(dosage: Dosage, product: _Product, salt: Salt | None) -> Fraction | str:
    daily_maximum = dosage.max_per_day
    if daily_maximum is not None and (dosage.as_needed or dosage.per_day is None):
        return _milligrams(daily_maximum, dosage.max_unit, product, salt)
    if dosage.amount is None:
        return dosage.unread or "the amount of one dose is not given"
    if dosage.per_day is None:
        return dosage.unread or "how often it is taken is not given"
    single_dose = _milligrams(Fraction(dosage.amount), dosage.amount_unit, product, salt)
    return single_dose if isinstance(single_dose, str) else single_dose * dosage.per_day


def _milligrams(
    amount: Fraction, unit: str, product: _Product, salt: Salt | None
) -> Fraction | str:
    normalised = _normalised(unit)
    if not _COUNT.isdisjoint(normalised.split()):
        normalised = "1"  # "oral tablet", "tablet"
    if normalised == "1" or normalised in _ML:
        strength = product.strength
        per = "ml" if normalised in _ML else ""
        if strength is None or strength.per != per:
            return f"the strength of one {'millilitre' if per else 'tablet or unit'} is not known"
        amount, normalised = amount * strength.amount, strength.unit
    if normalised in _MG:
        mass = amount * _MG[normalised]
        if not product.elemental:
            return mass
        if salt is None:
            return "the amount is given as the mineral, not as the salt"
        return salt.salt_mg(mass / salt.element)
    if normalised in _MMOL and salt is not None:
        return salt.salt_mg(amount)
    if normalised in _MEQ and salt is not None:
        return salt.salt_mg(amount / salt.valence)
    return f"the unit {unit} is not known" if unit else "the dose has no unit"


def _normalised(unit: str) -> str:
    """A dose unit in lower case, without UCUM braces and without a bracketed plural.

    No two dose units differ only in the case of a letter (nobody orders megagrams).
    """
    return unit.strip().lower().strip("{}").replace("(s)", "").strip(" .")


def _product(medication: Medication, names: tuple[str, ...]) -> _Product:
    strengths: list[_Strength] = []
    for ingredient in medication.ingredients:
        if ingredient.amount is not None and _name_end(ingredient.name, names) is not None:
            mass, _, per = ingredient.unit.partition("/")
            divisor = _normalised(per)
            if not divisor or divisor in _COUNT:
                strengths.append(_Strength(Fraction(ingredient.amount), _normalised(mass), ""))
            elif divisor in _ML:
                strengths.append(_Strength(Fraction(ingredient.amount), _normalised(mass), "ml"))
    elemental = False
    for text in (medication.name, medication.words):
        words, name_end = split_words(text), _name_end(text, names)
        if name_end is None:
            continue
        named_strengths = list(_named_strengths(words, name_end))
        strengths.extend(named_strengths)
        part = words.part[name_end - 1]
        # "Magnesium (as magnesium oxide) 400 MG" and "elemental" are milligrams of the mineral.
        elemental = len(named_strengths) < 2 and any(
            words.part[index] == part
            and (word == "elemental" or (word == "as" and _names_a_salt(words.words[index + 1 :])))
            for index, word in enumerate(words.words)
        )
        break
    return _Product(strengths[0] if strengths else None, elemental)


def _names_a_salt(following: Sequence[str]) -> bool:
    """Whether "as" is followed by a salt, rather than by "needed" or "directed"."""
    return bool(following) and following[0] in _SALT_WORDS


_SALT_WORDS = frozenset(
    {"magnesium", "potassium", "oxide", "citrate", "chloride", "sulfate", "sulphate"}
    | {"carbonate", "gluconate", "lactate", "glycinate", "bisglycinate", "aspartate"}
    | {"hydroxide", "bicarbonate", "malate", "taurate"}
)


@lru_cache(maxsize=64)
def _patterns(names: tuple[str, ...]) -> PatternIndex:
    return PatternIndex([read_pattern(name) for name in names])


def _name_end(text: str, names: tuple[str, ...]) -> int | None:
    """How many words of a text there are up to the end of the first name; None without a name."""
    ends = [found.end for found in _patterns(names).find(split_words(text))]
    return min(ends, default=None)


def _named_strengths(words: Words, start: int) -> Iterable[_Strength]:
    """Strengths that follow a name in the same ingredient: 400 mg, 1 mg/mL, 5 mg/5 mL."""
    part = words.part[start - 1]
    following_words = [
        word
        for index, word in enumerate(words.words)
        if index >= start and words.part[index] == part
    ]
    index = 0
    while index < len(following_words) - 1:
        amount, unit = _parsed(following_words[index]), following_words[index + 1]
        if amount is None or unit not in (_MG.keys() | _MMOL | _MEQ):
            index += 1
            continue
        next_words = [*following_words[index + 2 : index + 4], "", ""]
        volume = _parsed(next_words[0])
        if next_words[0] in _ML:
            yield _Strength(amount, unit, "ml")
        elif volume and next_words[1] in _ML:
            yield _Strength(amount / volume, unit, "ml")
        else:
            yield _Strength(amount, unit, "")
        index += 2


def _parsed(word: str) -> Fraction | None:
    try:
        return Fraction(Decimal(word))
    except (InvalidOperation, ValueError, OverflowError):
        return None
