"""What a client says was done with a card: read from the body of a feedback call.

The shape is ``cds_service/schemas/feedback.schema.json`` and only there. One bad element
refuses the whole body. No error repeats a value that was sent: it may be free text.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from cds_service.errors import BadRequest, TooLarge
from cds_service.feedback.card_ids import canonical

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.]([0-9]+))?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


class Answer(NamedTuple):
    """One answer to one card. ``outcome_at`` is UTC text with nine decimals (see tables)."""

    card: str
    outcome: str
    outcome_at: str
    suggestions: tuple[str, ...]
    reason_system: str | None
    reason_code: str | None
    reason_display: str | None
    comment: str | None


def read_answers(body: object) -> list[Answer]:
    """The answers in the parsed JSON ``body`` ``{"feedback": [...]}``, in their order.

    Raises BadRequest naming the first bad place (``feedback[2].outcomeTimestamp``) and its
    mend; TooLarge for too many elements.
    """
    error = next(iter(_validator().iter_errors(body)), None)
    if error is not None:
        _refuse(error)
    assert isinstance(body, dict)  # the schema has just said so
    return [_answer(item, f"feedback[{at}]") for at, item in enumerate(body["feedback"])]


def utc_text(moment: datetime) -> str:
    """``moment`` (with an offset) as it is kept: UTC, nine decimals."""
    utc = moment.astimezone(UTC)
    return _text(utc, f"{utc.microsecond:06}000")


def read_utc_text(kept: str) -> datetime:
    """The moment kept as ``kept``, to the microsecond."""
    return datetime.fromisoformat(f"{kept[:26]}+00:00")


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    schema = files("cds_service.schemas").joinpath("feedback.schema.json")
    return Draft202012Validator(json.loads(schema.read_text("utf-8")))


def _answer(item: dict[str, Any], where: str) -> Answer:
    override: dict[str, Any] = item.get("overrideReason", {})
    reason: dict[str, Any] = override.get("reason", {})
    return Answer(
        card=canonical(item["card"]),
        outcome=item["outcome"],
        outcome_at=_utc(item["outcomeTimestamp"], f"{where}.outcomeTimestamp"),
        suggestions=tuple(one["id"] for one in item.get("acceptedSuggestions", ())),
        reason_system=reason.get("system"),
        reason_code=reason.get("code"),
        reason_display=reason.get("display") or None,
        comment=override.get("userComment") or None,
    )


def _utc(sent: str, where: str) -> str:
    read = _TIMESTAMP.fullmatch(sent)
    refusal = BadRequest(
        "The date and time do not exist.", "Send RFC 3339: 2026-11-22T23:13:39Z.", where
    )
    if read is None or int(read[10] or 0) > 59:
        raise refusal
    year, month, day, hour, minute, second = (int(part) for part in read.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = read.groups()[6:]
    offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
    try:
        # RFC 3339 allows second 60 for a leap second; it is kept as the second after 59.
        leap = 1 if second == 60 else 0
        zone = timezone(-offset if sign == "-" else offset)
        moment = datetime(year, month, day, hour, minute, second - leap, tzinfo=zone)
        utc = (moment + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refusal from None
    return _text(utc, (fraction or "").ljust(9, "0")[:9])


def _text(utc: datetime, nanoseconds: str) -> str:
    return f"{utc.year:04}-{utc:%m-%dT%H:%M:%S}.{nanoseconds}Z"


_MENDS = {
    "feedback": 'Send {"feedback": [...]}.',
    "card": "Send the uuid of the card.",
    "outcome": "Send accepted or overridden.",
    "outcomeTimestamp": "Send RFC 3339 with an offset: 2026-11-22T23:13:39Z.",
    "acceptedSuggestions": 'Send [{"id": "<uuid of the suggestion>"}] with each accepted outcome.',
    "overrideReason": 'Send {"reason": {"code", "system"}, "userComment"}, or leave it out.',
}

_SAID = {
    "enum": "The value is not one of those allowed.",
    "pattern": "The value has another form.",
    "minLength": "The text is empty.",
    "not": "The text contains characters that cannot be kept.",
    "minItems": "The list is empty.",
}


def _refuse(error: ValidationError) -> NoReturn:
    path = [*error.absolute_path]
    wanted: Any = error.validator_value
    sent: Any = error.instance
    if error.validator == "required":
        missing = next(name for name in wanted if name not in sent)
        path.append(missing)
        what = "The property is missing."
    elif error.validator == "type":
        what = f"The value is not of the JSON type {wanted}."
    elif error.validator == "maxLength":
        what = f"The text is longer than {wanted} characters."
    elif error.validator == "maxItems":
        what = f"The list has more than {wanted} elements."
    else:
        what = _SAID[str(error.validator)]
    where = ""
    for step in path:
        where += f"[{step}]" if isinstance(step, int) else f".{step}" if where else str(step)
    named = [step for step in path if step in _MENDS]
    mend = _MENDS[str(named[-1])] if named else _MENDS["feedback"]
    if error.validator == "maxItems":
        raise TooLarge(what, "Send it in several calls.", where)
    if len(path) == 2 and error.validator == "type":
        mend = "Send each element as an object with card, outcome and outcomeTimestamp."
    raise BadRequest(what, mend, where)
