"""Strengths from product names: "Magnesium Oxide 400 MG Oral Tablet".

RxNorm's names are regular: ingredients separated by " / ", each followed by its strength.
Other names are read where they clearly state one strength; otherwise there is none.
"""

from __future__ import annotations

import re
from decimal import Decimal

from cds_service.core.medications import Ingredient
from cds_service.fhir.values.elements import exact

_UNIT = r"mg|mcg|ug|µg|μg|g|gm|meq|mmol|iu|unt|units?|%"
_PER = r"ml|l|hr|h|actuat|g|mg|sqcm"
_STRENGTH = re.compile(
    rf"(?<![\w.,-])(?P<amount>\d{{1,3}}(?:,\d{{3}})+|\d+(?:\.\d+)?|\.\d+) ?-? ?(?P<unit>{_UNIT})"
    rf"(?![a-z])(?: ?/ ?(?P<count>\d+(?:\.\d+)?)? ?(?P<per>{_PER})(?![a-z]))?",
    re.IGNORECASE,
)
# "24 HR" before the name and "5 ML" are a duration and a volume, not a strength.
_SPAN = re.compile(r"(?<![\w.])\d+(?:\.\d+)? ?(?:hr|hours?|ml|actuat)\b(?! ?/)", re.IGNORECASE)
_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_SPELLINGS = {
    "ug": "mcg",
    "µg": "mcg",
    "μg": "mcg",
    "gm": "g",
    "unt": "unit",
    "iu": "unit",
    "units": "unit",
    "h": "hr",
}
_LONGEST = 500


def ingredients_of(name: str) -> tuple[Ingredient, ...]:
    """The ingredients for which a product name gives a strength, in the order of the name.

    Units are in lower case: ``mg``, ``mcg``, ``g``, ``meq``, ``mmol``; strengths of liquids are
    per millilitre (``mg/ml``).
    """
    if len(name) > _LONGEST or name.lstrip().startswith("{"):  # a pack of several products
        return ()
    ingredients = []
    # Spaces are collapsed first: a pattern that allowed for runs of spaces would be slow on them.
    for piece in " ".join(name.split()).split(" / "):
        ingredient = _ingredient(piece)
        if ingredient is not None:
            ingredients.append(ingredient)
    return tuple(ingredients)


def _ingredient(piece: str) -> Ingredient | None:
    plain = " ".join(_ASIDE.sub(" ", piece).split())
    strengths = list(_STRENGTH.finditer(plain))
    amounts = {match.group().lower().replace(" ", "") for match in strengths}
    if len(amounts) != 1:
        return None  # none, or two that contradict each other
    match = strengths[0]
    before = _SPAN.sub(" ", plain[: match.start()]).strip(" ,-")
    name = " ".join((before or _SPAN.sub(" ", plain[match.end() :])).split())
    amount = exact(match["amount"].replace(",", "").rjust(2, "0").replace("0.", "0.", 1))
    if amount is None or not amount or not name:
        return None
    unit = match["unit"].lower()
    unit = _SPELLINGS.get(unit, unit)
    if match["per"]:
        per = match["per"].lower()
        count = exact(match["count"]) if match["count"] else Decimal(1)
        if not count:
            return None
        per = _SPELLINGS.get(per, per)
        if per == "l":
            per, count = "ml", count * 1000
        quotient = amount / count
        amount = quotient if count != 1 else amount
        unit = f"{unit}/{per}"
    return Ingredient(name, amount, unit)
