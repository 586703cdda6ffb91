"""The fields of one entry of a knowledge file: which it must have, their types and numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import wraps
from typing import Any, Protocol, TypeVar

from cds_service.core.knowledge import KnowledgeError


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_day(value: object) -> bool:
    return isinstance(value, date) and not isinstance(value, datetime)


_Type = tuple[Callable[[object], bool], str]
_TEXTS = (
    "canonical", "citation", "code", "display", "doi", "dosage", "kind", "label", "meaning", "name",
    "note", "order", "pmid", "reference", "source", "system", "url",
)  # fmt: skip
_TYPES: Mapping[str, _Type] = {
    **dict.fromkeys(_TEXTS, (_is_text, '"…", in quotes')),
    **dict.fromkeys(("covers", "spellings"), (_is_list_of_texts, '["…", "…"]')),
    "decimals": (_is_whole_number, "2, without quotes"),
    "year": (_is_whole_number, "2026, without quotes"),
    **dict.fromkeys(("medication", "seen", "verified"), (_is_bool, "true, without quotes")),
    "checked": (_is_day, "2026-11-23, without quotes"),
}
"""For each field a test of its type and an example. Numbers are checked by `number_in`."""
_ANY: _Type = (lambda _: True, "")


def check_fields(
    file: str, key: str, entry: Mapping[str, Any], must: Iterable[str], may: Iterable[str]
) -> None:
    """Raise KnowledgeError for a field that is missing, unknown, or of the wrong type."""
    missing = sorted(set(must) - entry.keys())
    if missing:
        raise KnowledgeError(f"{file}: {key}: add {', '.join(missing)}")
    stray = sorted(entry.keys() - set(may))
    if stray:
        raise KnowledgeError(
            f"{file}: {key}: {', '.join(stray)} is not a field here; use {', '.join(sorted(may))}"
        )
    for name, value in entry.items():
        fits, example = _TYPES.get(name, _ANY)
        if not fits(value):
            raise KnowledgeError(f"{file}: {key}: write {name} like {example}")


def number_in(file: str, key: str, raw: object) -> Decimal:
    """A number of an entry. Raises KnowledgeError for anything that is not a finite number."""
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        raise KnowledgeError(f"{file}: {key}: {raw} is not a number") from None
    if not value.is_finite():
        raise KnowledgeError(f"{file}: {key}: {raw} must be a number above zero")
    return value


class _Files(Protocol):
    def text_of(self, name: str) -> str: ...


_Self = TypeVar("_Self", bound=_Files)
_Made = TypeVar("_Made")


def names_line(make: Callable[[_Self], _Made]) -> Callable[[_Self], _Made]:
    """Decorator that adds the line of the entry to a KnowledgeError about a file of the folder."""

    @wraps(make)
    def made(self: _Self) -> _Made:
        try:
            return make(self)
        except KnowledgeError as error:
            raise KnowledgeError(_with_line(str(error), self)) from None

    return made


def _with_line(message: str, files: _Files) -> str:
    """The message "limits.toml: sodium.low: add unit" with the line where that entry begins."""
    name, _, rest = message.partition(": ")
    if not name.endswith(".toml") or "(line " in message:
        return message
    key = rest.partition(":")[0]
    headers = {f"[{key}]", f'["{key}"]', f"['{key}']", f"[[{key}]]"}
    for number, line in enumerate(files.text_of(name).splitlines(), 1):
        if line.partition("#")[0].strip() in headers:
            return f"{message} (line {number})"
    return message
