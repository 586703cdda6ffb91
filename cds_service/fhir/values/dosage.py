"""Dosage instructions as numbers, where they have them.

The high end of a range counts. Where there are no numbers, ``unread`` says why; no number is
read from free text. Source: FHIR R4 Dosage and Timing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from cds_service.core.medications import Dosage
from cds_service.fhir.values.elements import all_words, codings, items, label, number, part, text

_SITES_OF_ROUTE = re.compile(r"intra-?thecal|intraspinal|epidural|intraventricular")
_DAYS: Mapping[str, Fraction] = {
    "s": Fraction(1, 86400),
    "min": Fraction(1, 1440),
    "h": Fraction(1, 24),
    "hr": Fraction(1, 24),
    "hour": Fraction(1, 24),
    "d": Fraction(1),
    "day": Fraction(1),
    "wk": Fraction(7),
    "week": Fraction(7),
    "mo": Fraction(30),
    "month": Fraction(30),
    "a": Fraction(365),
    "year": Fraction(365),
}
_A_DAY: Mapping[str, Fraction] = {
    **dict.fromkeys(
        ("QD", "DAILY", "ONCE DAILY", "HS", "QHS", "BED", "AM", "QAM", "PM", "QPM"), Fraction(1)
    ),
    **dict.fromkeys(("NIGHTLY", "AT BEDTIME", "EVERY DAY", "MORN", "EVE", "NIGHT"), Fraction(1)),
    **dict.fromkeys(("BID", "TWICE DAILY", "TWICE A DAY"), Fraction(2)),
    **dict.fromkeys(("TID", "THREE TIMES DAILY", "THREE TIMES A DAY"), Fraction(3)),
    **dict.fromkeys(("QID", "FOUR TIMES DAILY", "FOUR TIMES A DAY"), Fraction(4)),
    **dict.fromkeys(("QOD", "EVERY OTHER DAY"), Fraction(1, 2)),
    **dict.fromkeys(("WK", "WEEKLY"), Fraction(1, 7)),
    **dict.fromkeys(("MO", "MONTHLY"), Fraction(1, 30)),
}
_EVERY_HOURS = re.compile(r"Q\s?(\d{1,2})\s?H(?:R|RS|OURS)?|EVERY (\d{1,2}) HOURS")
_ONE = Fraction(1)
_WEEKDAYS = frozenset({"mon", "tue", "wed", "thu", "fri", "sat", "sun"})


class _Unread(Exception):
    """Why a part of an instruction is not a number; never leaves this module."""


def read_dosages(value: object) -> tuple[Dosage, ...]:
    """Every instruction of a request or statement (in R4's shape). Never raises."""
    return tuple(_dosage(dosage) for dosage in items(value) if dosage not in (None, {}, ""))


def _dosage(value: object) -> Dosage:
    if not isinstance(value, dict):
        return Dosage(text=text(value), unread="the dosage is not an instruction that can be read")
    words = text(value.get("text")) or text(value.get("patientInstruction"))
    unread: list[str] = []
    amount: Decimal | None = None
    unit = ""
    per_day: Fraction | None = None
    most: Fraction | None = None
    most_unit = ""
    try:
        amount, unit = _amount(value.get("doseAndRate"))
    except _Unread as why:
        unread.append(str(why))
    try:
        per_day = _per_day(value.get("timing"))
    except _Unread as why:
        unread.append(str(why))
    try:
        most, most_unit = _daily_maximum(value.get("maxDosePerPeriod"))
    except _Unread as why:
        unread.append(str(why))
    if amount is None and per_day is None and most is None and words:
        unread = ["the dose is given in words only"]
    flag = value.get("asNeededBoolean")
    step = value.get("sequence")
    as_needed = flag is True or bool(value.get("asNeededCodeableConcept"))
    return Dosage(
        amount=amount,
        amount_unit=unit,
        per_day=per_day,
        as_needed=as_needed,
        max_per_day=most,
        max_unit=most_unit,
        text=words,
        route=_route(value),
        unread="; ".join(unread),
        sequence=step if isinstance(step, int) and not isinstance(step, bool) else None,
    )


def _route(value: Mapping[str, object]) -> str:
    """The route in words, else its code; also from a site that names one ("Intrathecal pump")."""
    route = "; ".join(all_words(value.get("route"))).lower() or label(value.get("route"))
    if value.get("site") is None:
        return route
    site = "; ".join(all_words(value.get("site"))).lower()
    return site if _SITES_OF_ROUTE.search(site) else route


def _amount(value: object) -> tuple[Decimal, str]:
    """The largest dose stated, with its unit in lower case."""
    doses: list[tuple[Decimal, str]] = []
    for dose in items(value):
        quantity = part(dose, "doseQuantity")
        bounds = part(dose, "doseRange")
        if bounds is not None:
            quantity = part(bounds, "high") or part(bounds, "low")
        if quantity is not None:
            doses.append(_quantity(quantity, "the dose"))
    if not doses:
        raise _Unread("no dose is given")
    if len({unit for _, unit in doses}) > 1:
        raise _Unread("several doses in different units are given")
    return max(doses)


def _quantity(value: object, what: str) -> tuple[Decimal, str]:
    amount = number(part(value, "value"))
    if amount is None or amount <= 0 or part(value, "comparator") is not None:
        raise _Unread(f"{what} is not a number that can be used")
    unit = text(part(value, "unit")) or text(part(value, "code"))
    return amount, unit.strip("{}[]").lower()


def _per_day(timing: object) -> Fraction:
    timing = items(timing)[0] if isinstance(timing, list) and timing else timing
    repeat = part(timing, "repeat")
    if isinstance(repeat, dict) and repeat:
        stated = _repeated(repeat)
        if stated is not None:
            return stated
    for word in _timing_words(part(timing, "code")):
        if word in _A_DAY:
            return _A_DAY[word]
        match = _EVERY_HOURS.fullmatch(word)
        if match and int(match[1] or match[2]):
            return Fraction(24, int(match[1] or match[2]))
    raise _Unread("the frequency is not given in a form that can be read")


def _timing_words(code: object) -> list[str]:
    words = [coding.code for coding in codings(code)] + list(all_words(code))
    if isinstance(code, str):
        words.append(code)
    return [" ".join(word.upper().replace(".", "").split()) for word in words if word]


def _repeated(repeat: Mapping[str, object]) -> Fraction | None:
    """Doses a day from Timing.repeat; None where it says nothing about that."""
    weekdays = {word for day in items(repeat.get("dayOfWeek")) if (word := text(day)) in _WEEKDAYS}
    share = Fraction(len(weekdays), 7) if weekdays else _ONE
    times = max(len(items(repeat.get("timeOfDay"))), len(items(repeat.get("when"))))
    period = _count(repeat, "period")
    unit = repeat.get("periodUnit")
    if period is None and unit is None:
        if times:
            return times * share
        if weekdays and repeat.get("frequency") is None:
            return share
        return None
    days = _DAYS.get(text(unit).lower())
    if days is None or period is None:
        raise _Unread("the frequency is not given in a form that can be read")
    often = _count(repeat, "frequencyMax") or _count(repeat, "frequency")
    rate = _rate(often or Decimal(1), period, days)
    daily = period * days.numerator == days.denominator
    if often is None and daily:
        rate *= max(times, 1)
    return rate * share if daily and weekdays else rate


@lru_cache(maxsize=2048)
def _rate(often: Decimal, period: Decimal, days: Fraction) -> Fraction:
    return Fraction(often) / (Fraction(period) * days)


def _count(repeat: Mapping[str, object], name: str) -> Decimal | None:
    stated = repeat.get(name)
    if stated is None:
        return None
    value = number(stated)
    if value is None or value <= 0:
        raise _Unread("the frequency is not a number that can be used")
    return value


def _daily_maximum(value: object) -> tuple[Fraction | None, str]:
    """The daily upper bound from maxDosePerPeriod; the smallest of several with the same unit."""
    bounds: list[tuple[Fraction, str]] = []
    for ratio in items(value):
        if ratio in (None, {}):
            continue
        amount, unit = _quantity(part(ratio, "numerator"), "the maximum dose")
        denominator = part(ratio, "denominator")
        period = number(part(denominator, "value"))
        name = text(part(denominator, "code")) or text(part(denominator, "unit"))
        days = _DAYS.get(name.lower()) or _DAYS.get(name.lower().rstrip("s"))
        if days is None or (period is not None and period <= 0):
            raise _Unread("the period of the maximum dose cannot be read")
        bounds.append((Fraction(amount) / (Fraction(period or 1) * days), unit))
    if not bounds:
        return None, ""
    if len({unit for _, unit in bounds}) > 1:
        raise _Unread("several maximum doses in different units are given")
    return min(bounds)
