"""Go or no-go: checks a run against ``[population.limits]`` of the sites file."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from cds_service.errors import StartupError

RATES = {
    "cards_per_100_encounters": "per 100 encounters",
    "cards_per_inpatient_day": "per inpatient-day",
    "cards_per_100_orders": "per 100 orders",
    "cards_per_clinician_day": "per clinician-day",
}
SHARES = {
    "cannot_tell_percent": "outcomes of rules that could not tell, %",
    "no_answer_percent": "calls without an answer, %",
    "critical_percent": "calls with a critical card, %",
}


def checked_limits(stated: Mapping[str, Any], where: str = "population.limits") -> dict[str, float]:
    """The limits as numbers; ``where`` is the name of their table in messages.

    Raises StartupError naming a key or value that cannot be used.
    """
    limits = {}
    for key, value in stated.items():
        if key not in RATES and key not in SHARES:
            nearest = next(iter(get_close_matches(key, (*RATES, *SHARES), 1, 0.6)), "")
            raise StartupError(
                f"{where}.{key} is not a limit"
                + (f"; did you mean {nearest}?" if nearest else "."),
                f"The limits are {', '.join((*RATES, *SHARES))}.",
                "CDS_SITES",
            )
        try:
            limits[key] = float(value)
        except (TypeError, ValueError):
            limits[key] = -1.0
        if isinstance(value, bool) or not 0 <= limits[key] < float("inf"):
            raise StartupError(
                f"{where}.{key}: {value!r} is not a number from 0 up.",
                "Write 5 or 0.5, for example.",
                "CDS_SITES",
            )
    return limits


def compared_with_limits(
    summary: Mapping[str, Any], limits: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Each limit with the value found in a summary, and whether it is met: None where there was
    nothing to count."""
    values: dict[str, float | None] = {
        key: next(rate["cards"] for rate in summary["rates"] if rate["denominator"] == name)
        for key, name in RATES.items()
    }
    calls = summary["counts"]["calls"]
    answers = sum(rule["calls"] for rule in summary["rules"])
    unknown = sum(rule["cannot_tell"] for rule in summary["rules"])
    values["cannot_tell_percent"] = 100 * unknown / answers if answers else None
    values["no_answer_percent"] = 100 * summary["counts"]["failed"] / calls if calls else None
    values["critical_percent"] = (
        100 * summary["counts"]["critical_calls"] / calls if calls else None
    )
    return [
        {
            "limit": key,
            "says": f"cards {RATES[key]}" if key in RATES else SHARES[key],
            "at_most": most,
            "found": None if (value := values[key]) is None else round(value, 4),
            "met": None if value is None else value <= most,
        }
        for key, most in limits.items()
    ]


def verdict(limits: list[dict[str, Any]]) -> str:
    """``go``, ``no-go``, ``cannot tell`` (a limit had nothing to count), or ``no limits``."""
    if not limits:
        return "no limits"
    if any(limit["met"] is False for limit in limits):
        return "no-go"
    return "go" if all(limit["met"] for limit in limits) else "cannot tell"
