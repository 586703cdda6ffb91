"""Checks a response against its schema, and against requirements that a schema cannot express.

Used by tests and by ``cds-service evaluate --check``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.calls import shapes
from cds_service.fhir.models import refusal

_HTML = re.compile(r"<[A-Za-z!/][^<>]*>")


def flaws(response: Mapping[str, Any]) -> list[str]:
    """What is wrong with a response, each with its place; empty where nothing is."""
    problems = [
        f"{'.'.join(str(part) for part in error.absolute_path)}: {error.message}"
        for error in shapes.validator("response").iter_errors(response)
    ]
    problems += _empty(response, "")
    uuids: list[str] = []
    for number, card in enumerate(response.get("cards", ())):
        place = f"cards[{number}]"
        uuids.append(str(card.get("uuid")))
        if _HTML.search(str(card.get("detail", ""))):
            problems.append(f"{place}.detail: HTML in Markdown")
        for index, suggestion in enumerate(card.get("suggestions", ())):
            uuids.append(str(suggestion.get("uuid")))
            for action in suggestion.get("actions", ()):
                if resource := action.get("resource"):
                    problems += _refused(resource, f"{place}.suggestions[{index}]")
    if len(uuids) != len(set(uuids)):
        problems.append("cards: a uuid is used twice")
    return problems


def _refused(resource: Mapping[str, Any], place: str) -> Iterator[str]:
    import msgspec

    if reason := refusal(msgspec.json.encode(resource)):
        yield f"{place}: {reason}"


def _empty(value: Any, place: str) -> Iterator[str]:
    """Nulls and empty strings, arrays and objects: forbidden except in ``cards: []``."""
    if value is None or (value in ("", [], {}) and place != "cards"):
        yield f"{place}: null or empty"
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield from _empty(member, f"{place}.{name}" if place else name)
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _empty(member, f"{place}[{number}]")
