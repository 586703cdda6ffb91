"""The fields of one entry of a knowledge file: which it must have, and its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from cds_service.core.knowledge import KnowledgeError


def check_fields(
    file: str, key: str, entry: Mapping[str, Any], must: Iterable[str], may: Iterable[str]
) -> None:
    """Raise KnowledgeError for a field that is missing or unknown."""
    missing = sorted(set(must) - entry.keys())
    if missing:
        raise KnowledgeError(f"{file}: {key}: add {', '.join(missing)}")
    stray = sorted(entry.keys() - set(may))
    if stray:
        raise KnowledgeError(
            f"{file}: {key}: {', '.join(stray)} is not a field here; use {', '.join(sorted(may))}"
        )


def number_in(file: str, key: str, raw: object) -> Decimal:
    """A number of an entry. Raises KnowledgeError for anything that is not a finite number."""
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        raise KnowledgeError(f"{file}: {key}: {raw} is not a number") from None
    if not value.is_finite():
        raise KnowledgeError(f"{file}: {key}: {raw} must be a number above zero")
    return value
