"""Why a card was overridden, in every shape that EHRs have been seen to send.

The specification's is ``"overrideReason": {"reason": {"code", "system"}, "userComment"}``.
Others send ``overrideReasons``, one object or a list, of such objects or of bare codings; a
``reason`` that is a list of codings or a CodeableConcept; or the reason in an ``extension``
only, an object by name or FHIR's list of ``url`` and ``value[x]``. All of it is read. Anything
else in the place of a reason is refused, so that feedback is never accepted with its reason lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from cds_service.feedback.checks import identifier, place, refuse, typed, words

MOST_REASONS = 20
_TOPIC = "overrideReason"
_DEEPEST = 4
_LONGEST_NAME = 200
_COMMENTS = ("userComment", "comment")
_HINTS = ("reason", "override", "comment")


class OverrideReason(NamedTuple):
    """A coding; only its code is required."""

    system: str | None
    code: str
    display: str | None


class Override:
    """Collects the reasons and comments in the feedback on one card, each once and in order."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str | None, str], OverrideReason] = {}
        self._comments: dict[str, None] = {}

    @property
    def reasons(self) -> tuple[OverrideReason, ...]:
        """The reasons that were given."""
        return tuple(self._reasons.values())

    @property
    def comment(self) -> str | None:
        """All comments, one per line."""
        return "\n".join(self._comments) or None

    @property
    def found(self) -> int:
        """The number of reasons and comments."""
        return len(self._reasons) + len(self._comments)

    def add(self, reason: OverrideReason, where: str) -> None:
        """Keep one reason. Raises BadRequest for more than `MOST_REASONS`."""
        self._reasons.setdefault((reason.system, reason.code), reason)
        if len(self._reasons) > MOST_REASONS:
            refuse(f"There are more than {MOST_REASONS} reasons.", where, _TOPIC)

    def add_comment(self, comment: str) -> None:
        """Keep one comment, unless it is empty."""
        if comment.strip():
            self._comments[comment] = None


def read_override(item: Mapping[str, Any], where: str) -> Override:
    """The reasons and comments in the feedback ``item`` at ``where``. Raises BadRequest."""
    override = Override()
    if "overrideReason" in item:
        _one_or_more(item["overrideReason"], place(where, "overrideReason"), override)
    if "overrideReasons" in item:
        _one_or_more(item["overrideReasons"], place(where, "overrideReasons"), override)
    if "reason" in item:
        _coded(item["reason"], place(where, "reason"), override)
    _commented(item, where, override)
    if "extension" in item:
        extended = place(where, "extension")
        _extension(item["extension"], extended, override, expected=False)
        if not override.found and item.get("outcome") == "overridden":
            _any_coding(item["extension"], extended, override)
    return override


def _one_or_more(value: object, where: str, override: Override) -> None:
    """One object with reason and comment, or a list of them."""
    if isinstance(value, list):
        for number, element in enumerate(value):
            _object(element, f"{where}[{number}]", override)
    else:
        _object(value, where, override)


def _object(value: object, where: str, override: Override) -> None:
    element: dict[str, Any] = typed(value, "object", where, _TOPIC)
    if "reason" in element:
        _coded(element["reason"], place(where, "reason"), override)
    if "code" in element or "coding" in element:
        _coded(element, where, override)
    _commented(element, where, override)
    before = override.found
    if "extension" in element:
        _extension(element["extension"], place(where, "extension"), override, expected=True)
    known = element.keys() & {"reason", "code", "coding", *_COMMENTS}
    if element and not known and override.found == before:
        refuse("No reason and no comment can be read here.", where, _TOPIC)


def _commented(element: Mapping[str, Any], where: str, override: Override) -> None:
    for name in _COMMENTS:
        if name in element:
            override.add_comment(words(element[name], place(where, name), _TOPIC))


def _coded(value: object, where: str, override: Override) -> None:
    """A coding, a list of codings, or a CodeableConcept."""
    if isinstance(value, list):
        for number, element in enumerate(value):
            _coded(element, f"{where}[{number}]", override)
        return
    concept: dict[str, Any] = typed(value, "object", where, _TOPIC)
    if "coding" in concept and "code" not in concept:
        codings = typed(concept["coding"], "array", place(where, "coding"), _TOPIC)
        for number, coding in enumerate(codings):
            override.add(_coding(coding, f"{where}.coding[{number}]"), where)
        if "text" in concept:
            override.add_comment(words(concept["text"], place(where, "text"), _TOPIC))
        return
    override.add(_coding(concept, where), where)


def _coding(value: object, where: str) -> OverrideReason:
    coding: dict[str, Any] = typed(value, "object", where, _TOPIC)
    if "code" not in coding:
        refuse("The property is missing.", place(where, "code"), _TOPIC)
    system, display = coding.get("system"), coding.get("display")
    return OverrideReason(
        None if system is None else identifier(system, place(where, "system"), _TOPIC),
        identifier(coding["code"], place(where, "code"), _TOPIC),
        None if display is None else words(display, place(where, "display"), _TOPIC) or None,
    )


def _extension(
    value: object, where: str, override: Override, *, expected: bool, depth: int = 0
) -> None:
    """Read reasons and comments from an extension; ``expected``: it is in a reason's place.

    Anything else in an extension is ignored, whatever its shape.
    """
    if depth > _DEEPEST:
        return
    for name, inner, at in _parts(value, where):
        about = expected or any(hint in name.lower() for hint in _HINTS)
        if isinstance(inner, str):
            if about:
                _text(name.lower(), inner, at, override)
        elif isinstance(inner, dict) and about and isinstance(inner.get("code"), str):
            override.add(_coding(inner, at), at)
        elif isinstance(inner, dict) and about and isinstance(inner.get("coding"), list):
            _coded(inner, at, override)
        else:
            _extension(inner, at, override, expected=about, depth=depth + 1)


def _any_coding(value: object, where: str, override: Override, depth: int = 0) -> None:
    """Read codings with a system under any name: for feedback without a reason elsewhere."""
    if depth > _DEEPEST:
        return
    for _, inner, at in _parts(value, where):
        if isinstance(inner, dict) and {"code", "system"} <= inner.keys():
            override.add(_coding(inner, at), at)
        elif not isinstance(inner, str):
            _any_coding(inner, at, override, depth + 1)


def _parts(value: object, where: str) -> Iterator[tuple[str, Any, str]]:
    """Name, value and place of each part of an extension: an object, or a list as in FHIR.

    Places have numbers instead of the sender's names, and only the end of a name is looked at,
    which bounds time and the length of errors.
    """
    if isinstance(value, list):
        for number, extension in enumerate(value):
            url = extension.get("url") if isinstance(extension, dict) else None
            yield _end(url), extension, f"{where}[{number}]"
    elif isinstance(value, dict):
        url = _end(value.get("url"))
        for number, (name, inner) in enumerate(value.items()):
            if name != "url":
                yield f"{url} {_end(name)}", inner, f"{where}[{number}]"


def _end(name: object) -> str:
    return name[-_LONGEST_NAME:] if isinstance(name, str) else ""


def _text(name: str, text: str, where: str, override: Override) -> None:
    if name.endswith(("system", "display", "version", "id")):
        return
    if name.endswith(("code", "codestring")) and text:
        override.add(OverrideReason(None, identifier(text, where, _TOPIC), None), where)
    else:
        override.add_comment(words(text, where, _TOPIC))
