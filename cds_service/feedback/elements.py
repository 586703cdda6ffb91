"""What a client reports was done with a card: read from the body of a feedback call.

The published shape is ``cds_service/calls/schemas/feedback.schema.json``. Everything that it
allows is read, and more: a single element without a list, a bare list, and reasons in the shapes
of `overrides`. One bad element refuses the whole body.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

from cds_service.errors import BadRequest, TooLarge
from cds_service.feedback.card_ids import canonical
from cds_service.feedback.checks import identifier, place, refuse, required, typed
from cds_service.feedback.overrides import read_override

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.]([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


MOST_ELEMENTS = 1000
MOST_SUGGESTIONS = 100
_OUTCOMES = ("accepted", "overridden")
_TIME = "outcomeTimestamp"
_SUGGESTIONS = "acceptedSuggestions"


class Feedback(NamedTuple):
    """The feedback on one card.

    ``outcome_at`` is UTC text with nine decimals (see tables); ``more_reasons`` is a JSON list
    of the reasons after the first.
    """

    card: str
    outcome: str
    outcome_at: str
    suggestions: tuple[str, ...]
    reason_system: str | None
    reason_code: str | None
    reason_display: str | None
    comment: str | None
    more_reasons: str | None = None


def read_feedback(body: object) -> list[Feedback]:
    """The elements of the parsed JSON ``body`` ``{"feedback": [...]}``, in order.

    Raises BadRequest naming the first bad place (``feedback[2].outcomeTimestamp``) and how to
    correct it, and TooLarge for too many elements.
    """
    value, where = body, ""
    if isinstance(value, dict) and not ("card" in value and "feedback" not in value):
        value, where = required(value, "feedback", "", "feedback"), "feedback"
    if isinstance(value, dict):
        return [_feedback(value, where)]
    items = typed(value, "array", where, "feedback")
    if not where and not items:
        refuse("The value is not of the JSON type object.", where, "feedback")
    if len(items) > MOST_ELEMENTS:
        raise TooLarge(
            f"The list has more than {MOST_ELEMENTS} elements.", "Send it in several calls.", where
        )
    return [_feedback(item, f"{where}[{at}]") for at, item in enumerate(items)]


def utc_text(moment: datetime) -> str:
    """``moment`` (with an offset) as it is stored: UTC, nine decimals."""
    utc = moment.astimezone(UTC)
    return _text(utc, f"{utc.microsecond:06}000")


def read_utc_text(kept: str) -> datetime:
    """The moment that `utc_text` stored, to the microsecond."""
    return datetime.fromisoformat(f"{kept[:26]}+00:00")


def _feedback(element: object, where: str) -> Feedback:
    item: dict[str, Any] = typed(element, "object", where, "feedback")
    card = identifier(required(item, "card", where, "card"), place(where, "card"), "card")
    outcome = required(item, "outcome", where, "outcome")
    if outcome not in _OUTCOMES:
        refuse("The value is not one of those allowed.", place(where, "outcome"), "outcome")
    at = place(where, _TIME)
    moment = _utc(identifier(required(item, _TIME, where, _TIME), at, _TIME), at)
    override = read_override(item, where)
    first, *others = override.reasons or (None,)
    return Feedback(
        card=canonical(card),
        outcome=outcome,
        outcome_at=moment,
        suggestions=_suggestions(item, where),
        reason_system=first.system if first else None,
        reason_code=first.code if first else None,
        reason_display=first.display if first else None,
        comment=override.comment,
        more_reasons=json.dumps([reason._asdict() for reason in others if reason])
        if others
        else None,
    )


def _suggestions(item: dict[str, Any], where: str) -> tuple[str, ...]:
    where = place(where, _SUGGESTIONS)
    if _SUGGESTIONS not in item:
        if item["outcome"] == "accepted":
            refuse("The property is missing.", where, _SUGGESTIONS)
        return ()
    elements = typed(item[_SUGGESTIONS], "array", where, _SUGGESTIONS)
    if not elements and item["outcome"] == "accepted":
        refuse("The list is empty.", where, _SUGGESTIONS)
    if len(elements) > MOST_SUGGESTIONS:
        message = f"The list has more than {MOST_SUGGESTIONS} elements."
        raise TooLarge(message, "Send it in several calls.", where)
    ids = []
    for number, suggestion in enumerate(elements):
        at = f"{where}[{number}]"
        typed(suggestion, "object", at, _SUGGESTIONS)
        suggestion_id = required(suggestion, "id", at, _SUGGESTIONS)
        ids.append(identifier(suggestion_id, place(at, "id"), _SUGGESTIONS))
    return tuple(ids)


def _utc(value: str, where: str) -> str:
    read = _TIMESTAMP.fullmatch(value)
    refusal = BadRequest(
        "The date and time do not exist.", "Send RFC 3339: 2026-11-22T23:13:39Z.", where
    )
    if read is None:
        refuse("This is not a date and time with an offset.", where, _TIME)
    if int(read[10] or 0) > 59:
        raise refusal
    year, month, day, hour, minute, second = (int(part) for part in read.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = read.groups()[6:]
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        # RFC 3339 allows second 60 for a leap second; it is stored as the second after 59.
        leap = 1 if second == 60 else 0
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=zone)
        utc = (moment + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refusal from None
    return _text(utc, (fraction or "").ljust(9, "0")[:9])


def _text(utc: datetime, nanoseconds: str) -> str:
    return f"{utc.year:04}-{utc:%m-%dT%H:%M:%S}.{nanoseconds}Z"
