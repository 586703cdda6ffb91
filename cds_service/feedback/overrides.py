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


class Reason(NamedTuple):
    """A coding; only its code is required."""

    system: str | None
    code: str
    display: str | None


class Override:
    """Collects the reasons and comments in the feedback on one card, each once and in order."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str | None, str], Reason] = {}
        self._comments: dict[str, None] = {}

    @property
    def reasons(self) -> tuple[Reason, ...]:
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

    def add(self, reason: Reason, where: str) -> None:
        """Keep one reason. Raises BadRequest for more than `MOST_REASONS`."""
        self._reasons.setdefault((reason.system, reason.code), reason)
        if len(self._reasons) > MOST_REASONS:
            refuse(f"There are more than {MOST_REASONS} reasons.", where, _TOPIC)

    def say(self, comment: str) -> None:
        """Keep one comment, unless it is empty."""
        if comment.strip():
            self._comments[comment] = None


def read_override(item: Mapping[str, Any], where: str) -> Override:
    """The reasons and comments in the feedback ``item`` at ``where``. Raises BadRequest."""
    found = Override()
    if "overrideReason" in item:
        _either(item["overrideReason"], place(where, "overrideReason"), found)
    if "overrideReasons" in item:
        _either(item["overrideReasons"], place(where, "overrideReasons"), found)
    if "reason" in item:
        _coded(item["reason"], place(where, "reason"), found)
    _commented(item, where, found)
    if "extension" in item:
        extended = place(where, "extension")
        _extension(item["extension"], extended, found, expected=False)
        if not found.found and item.get("outcome") == "overridden":
            _any_coding(item["extension"], extended, found)
    return found


def _either(value: object, where: str, found: Override) -> None:
    """One object with reason and comment, or a list of them."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            _one(one, f"{where}[{number}]", found)
    else:
        _one(value, where, found)


def _one(value: object, where: str, found: Override) -> None:
    given: dict[str, Any] = typed(value, "object", where, _TOPIC)
    if "reason" in given:
        _coded(given["reason"], place(where, "reason"), found)
    if "code" in given or "coding" in given:
        _coded(given, where, found)
    _commented(given, where, found)
    before = found.found
    if "extension" in given:
        _extension(given["extension"], place(where, "extension"), found, expected=True)
    known = given.keys() & {"reason", "code", "coding", *_COMMENTS}
    if given and not known and found.found == before:
        refuse("No reason and no comment can be read here.", where, _TOPIC)


def _commented(given: Mapping[str, Any], where: str, found: Override) -> None:
    for name in _COMMENTS:
        if name in given:
            found.say(words(given[name], place(where, name), _TOPIC))


def _coded(value: object, where: str, found: Override) -> None:
    """A coding, a list of codings, or a CodeableConcept."""
    if isinstance(value, list):
        for number, one in enumerate(value):
            _coded(one, f"{where}[{number}]", found)
        return
    given: dict[str, Any] = typed(value, "object", where, _TOPIC)
    if "coding" in given and "code" not in given:
        codings = typed(given["coding"], "array", place(where, "coding"), _TOPIC)
        for number, one in enumerate(codings):
            found.add(_coding(one, f"{where}.coding[{number}]"), where)
        if "text" in given:
            found.say(words(given["text"], place(where, "text"), _TOPIC))
        return
    found.add(_coding(given, where), where)


def _coding(value: object, where: str) -> Reason:
    given: dict[str, Any] = typed(value, "object", where, _TOPIC)
    if "code" not in given:
        refuse("The property is missing.", place(where, "code"), _TOPIC)
    system, display = given.get("system"), given.get("display")
    return Reason(
        None if system is None else identifier(system, place(where, "system"), _TOPIC),
        identifier(given["code"], place(where, "code"), _TOPIC),
        None if display is None else words(display, place(where, "display"), _TOPIC) or None,
    )


def _extension(
    value: object, where: str, found: Override, *, expected: bool, depth: int = 0
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
                _text(name.lower(), inner, at, found)
        elif isinstance(inner, dict) and about and isinstance(inner.get("code"), str):
            found.add(_coding(inner, at), at)
        elif isinstance(inner, dict) and about and isinstance(inner.get("coding"), list):
            _coded(inner, at, found)
        else:
            _extension(inner, at, found, expected=about, depth=depth + 1)


def _any_coding(value: object, where: str, found: Override, depth: int = 0) -> None:
    """Read codings with a system under any name: for feedback without a reason elsewhere."""
    if depth > _DEEPEST:
        return
    for _, inner, at in _parts(value, where):
        if isinstance(inner, dict) and {"code", "system"} <= inner.keys():
            found.add(_coding(inner, at), at)
        elif not isinstance(inner, str):
            _any_coding(inner, at, found, depth + 1)


def _parts(value: object, where: str) -> Iterator[tuple[str, Any, str]]:
    """Name, value and place of each part of an extension: an object, or a list as in FHIR.

    Places have numbers instead of the sender's names, and only the end of a name is looked at,
    which bounds time and the length of errors.
    """
    if isinstance(value, list):
        for number, one in enumerate(value):
            url = one.get("url") if isinstance(one, dict) else None
            yield _end(url), one, f"{where}[{number}]"
    elif isinstance(value, dict):
        url = _end(value.get("url"))
        for number, (name, inner) in enumerate(value.items()):
            if name != "url":
                yield f"{url} {_end(name)}", inner, f"{where}[{number}]"


def _end(name: object) -> str:
    return name[-_LONGEST_NAME:] if isinstance(name, str) else ""


def _text(name: str, text: str, where: str, found: Override) -> None:
    if name.endswith(("system", "display", "version", "id")):
        return
    if name.endswith(("code", "codestring")) and text:
        found.add(Reason(None, identifier(text, where, _TOPIC), None), where)
    else:
        found.say(words(text, where, _TOPIC))
