"""Checks on the values of a feedback body; each error names the place.

Each check reads its value once, so that the cost is linear in the size of the body. No error
repeats a value that was sent: it may be free text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from cds_service.errors import BadRequest

LONGEST_ID = 255
LONGEST_WORDS = 4000
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")
_TYPES: Mapping[str, type[object]] = {"object": dict, "array": list, "string": str}
_REMEDIES = {
    "feedback": 'Send {"feedback": [{"card", "outcome", "outcomeTimestamp"}, ...]}.',
    "card": "Send the uuid of the card.",
    "outcome": "Send accepted or overridden.",
    "outcomeTimestamp": "Send RFC 3339 with an offset: 2026-11-22T23:13:39Z.",
    "acceptedSuggestions": 'Send [{"id": "<uuid of the suggestion>"}] with each accepted outcome.',
    "overrideReason": 'Send {"reason": {"code", "system"}, "userComment"}, or leave it out.',
}


def refuse(what: str, where: str, topic: str) -> NoReturn:
    """Raise BadRequest for the value at ``where``; ``topic`` selects the advice."""
    raise BadRequest(what, _REMEDIES[topic], where)


def typed(value: object, kind: str, where: str, topic: str) -> Any:
    """``value``, which must be of the JSON type ``kind``: object, array or string.

    Like all checks here it raises BadRequest.
    """
    if not isinstance(value, _TYPES[kind]):
        refuse(f"The value is not of the JSON type {kind}.", where, topic)
    return value


def required(item: Mapping[str, Any], name: str, where: str, topic: str) -> Any:
    """The property ``name`` of the object at ``where``."""
    if name not in item:
        refuse("The property is missing.", place(where, name), topic)
    return item[name]


def identifier(value: object, where: str, topic: str) -> str:
    """A text of 1 to 255 characters without control characters."""
    read: str = typed(value, "string", where, topic)
    if not read:
        refuse("The text is empty.", where, topic)
    if len(read) > LONGEST_ID:
        refuse(f"The text is longer than {LONGEST_ID} characters.", where, topic)
    if _CONTROLS.search(read):
        refuse("The text contains characters that cannot be stored.", where, topic)
    return read


def words(value: object, where: str, topic: str) -> str:
    """Free text of at most 4000 characters, without NUL and broken surrogates."""
    read: str = typed(value, "string", where, topic)
    if len(read) > LONGEST_WORDS:
        refuse(f"The text is longer than {LONGEST_WORDS} characters.", where, topic)
    if _UNKEEPABLE.search(read):
        refuse("The text contains characters that cannot be stored.", where, topic)
    return read


def place(where: str, name: str) -> str:
    """The place of a property of the object at ``where``."""
    return f"{where}.{name}" if where else name
