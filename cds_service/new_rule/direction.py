"""On which side of its limit a new rule fires: from the options, the rule's name or the limits."""

from __future__ import annotations

from cds_service.engine.topic import Topic
from cds_service.errors import BadRequest

SIDES = ("below", "above")
_BELOW = frozenset({"below", "deficiency", "deficient", "low", "lower"})
_ABOVE = frozenset({"above", "elevated", "excess", "high", "higher", "raised"})


def check_side(side: str) -> None:
    """Raise BadRequest for anything but "below" and "above"."""
    if side not in SIDES:
        raise BadRequest(f"{side} is neither below nor above.", "Write below or above.", "--below")


def side_in_name(name: str) -> str | None:
    """The side that a rule id names ("low-sodium", "hyperkalaemia"); None for neither or both."""
    words = name.split("-")
    below = any(word in _BELOW or word.startswith("hypo") for word in words)
    above = any(word in _ABOVE or word.startswith("hyper") for word in words)
    if below == above:
        return None
    return SIDES[above]


def side_of_limits(topic: Topic, analyte: str) -> str | None:
    """The side of the only limit ``ANALYTE.low`` or ``ANALYTE.high``; None for neither or both."""
    limits = topic.knowledge.limits(None, "")
    below, above = f"{analyte}.low" in limits, f"{analyte}.high" in limits
    return None if below == above else SIDES[above]


def settled_side(topic: Topic, name: str, analyte: str) -> str:
    """The side that follows from the name, or else from the limits.

    Raises BadRequest naming the options where neither settles it.
    """
    side = side_in_name(name) or side_of_limits(topic, analyte)
    if side is None:
        unit = topic.knowledge.analytes[analyte].canonical
        raise BadRequest(
            f"it is not clear whether {name} fires below or above its limit.",
            f"Give --below or --above with a number in {unit}, or with low or high for the limit "
            f"{analyte}.low or {analyte}.high.",
            "--below",
        )
    return side
