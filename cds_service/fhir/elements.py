"""FHIR data types out of plain JSON, whatever shape they really have.

Records are not always valid: an object stands where a list should, a string where a
CodeableConcept should. Each function here takes any JSON value, gives what can be read of
it, and raises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from cds_service.core.codes import Coding

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding bytes that are not JSON of the right shape can raise."""

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_LONGEST = 2000  # characters of a name; a text longer than this is none
_LARGEST = 30  # decimal places to either side; nothing clinical is larger or finer


def exact(written: str) -> Decimal | None:
    """A number as it was written, all decimals kept; None for what no instrument reports."""
    if not _NUMBER.fullmatch(written):
        return None
    try:
        value = Decimal(written)
    except InvalidOperation:
        return None
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_LARGEST or value.adjusted() > _LARGEST:
        return None
    return value


_plain = msgspec.json.Decoder(float_hook=exact)


def decoded(raw: bytes | msgspec.Raw) -> object:
    """Plain JSON, numbers with decimals as exact Decimals (None where absurd).

    Raises one of `UNREADABLE`.
    """
    return _plain.decode(raw)


_written = msgspec.json.Encoder(decimal_format="number")


def encoded(value: object) -> bytes:
    """JSON again, decimals as they were written."""
    return _written.encode(value)


def items(value: object) -> list[object]:
    """The elements of a list; a single value where FHIR wants a list counts as one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text(value: object) -> str:
    """A string without surrounding space; empty for anything else."""
    return value.strip() if isinstance(value, str) else ""


def part(value: object, *path: str) -> object:
    """What stands below the keys of ``path``, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def identifier_of(resource: object) -> str:
    """The logical id of a resource; empty where it has none that can be one."""
    value = text(part(resource, "id"))
    return value if _ID.fullmatch(value) else ""


def number(value: object) -> Decimal | None:
    """A JSON number as an exact decimal; None for strings, booleans and absurd sizes."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return exact(str(value)) if abs(value) < 10**_LARGEST else None
    return exact(repr(value)) if isinstance(value, float) else None


def _concepts(value: object) -> Iterator[Mapping[str, object]]:
    for one in items(value):
        if isinstance(one, dict):
            yield one
        elif isinstance(one, str):
            yield {"text": one}


def codings(value: object) -> tuple[Coding, ...]:
    """All codings of one or several CodeableConcepts (or bare Codings) that say anything."""
    found: list[Coding] = []
    for concept in _concepts(value):
        for one in (*items(concept.get("coding")), concept if "code" in concept else None):
            code, display = text(part(one, "code")), text(part(one, "display"))[:_LONGEST]
            if code or display:
                found.append(Coding(text(part(one, "system")), code, display))
    return tuple(found)


def texts(value: object) -> tuple[str, ...]:
    """The texts of one or several CodeableConcepts, without the displays of their codings."""
    stated = (text(one.get("text"))[:_LONGEST] for one in _concepts(value))
    return tuple(one for one in stated if one)


def label(value: object) -> str:
    """What a person would call it: the text, else the first display, else the first code."""
    for found in texts(value):
        return found
    codes = codings(value)
    for coding in codes:
        if coding.display:
            return coding.display
    return f"code {codes[0].code}" if codes else ""


def all_words(value: object) -> tuple[str, ...]:
    """Texts and displays."""
    displays = (coding.display for coding in codings(value) if coding.display)
    return tuple(dict.fromkeys((*texts(value), *displays)))


def status_words(value: object) -> tuple[str, ...]:
    """A status in small letters, written as code, as CodeableConcept or as its text."""
    if isinstance(value, str):
        return (value.strip().lower(),) if value.strip() else ()
    codes = tuple(coding.code.lower() for coding in codings(value) if coding.code)
    return codes + tuple(word.lower() for word in all_words(value))


def reference(value: object) -> str:
    """The literal reference of a Reference, or a reference written as a bare string."""
    return text(value) if isinstance(value, str) else text(part(value, "reference"))


def choice(resource: Mapping[str, object], stem: str) -> dict[str, object]:
    """The variants of a choice element: ``onset`` gives onsetDateTime, onsetPeriod, …"""
    size = len(stem)
    return {
        key[size:]: value
        for key, value in resource.items()
        if key.startswith(stem) and key[size : size + 1].isupper() and value is not None
    }
