"""Strict JSON: UTF-8, not nested too deeply, without numbers that are too large.

Numbers keep the decimals that were written. No error quotes the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from cds_service.errors import BadRequest

MAX_DEPTH = 64
"""How deep arrays and objects may be nested."""

_OUT_OF_RANGE = "out of range"  # as in the decoder's own message
_LARGEST = 308  # the largest exponent of a double, which any program can read
_BOM = b"\xef\xbb\xbf"
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_NO_QUOTES = bytes(byte for byte in _NO_BRACKETS if byte not in b'"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_STEPS = bytes.maketrans(b"[]", b"\x01\xff")  # one level in, one level out, as signed bytes
_ROUNDS = 16
_SLICE = 1 << 16
_AT = re.compile(r"byte (\d+)")
# An escaped backslash, a whole surrogate pair, or half of one.
_SURROGATES = re.compile(
    rb"(\\\\)|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
_T = TypeVar("_T")


def _number(text: str) -> Decimal:
    """A number with the decimals that were written: to a laboratory 1.20 is not 1.2."""
    try:
        value = Decimal(text)
    except ArithmeticError:
        raise ValueError(_OUT_OF_RANGE) from None
    if value.adjusted() > _LARGEST:
        raise ValueError(_OUT_OF_RANGE)
    return value


_read_anything = msgspec.json.Decoder(float_hook=_number).decode
_write = msgspec.json.Encoder(decimal_format="number").encode


def checked_text(body: bytes) -> bytes:
    """The body without a byte order mark.

    Raises BadRequest for a body that is empty, not UTF-8, or nested too deeply.
    """
    text = body.removeprefix(_BOM)
    if not text or text.isspace():
        raise BadRequest("The body is empty.", "Send JSON.")
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise BadRequest(
                f"The body is not UTF-8 (byte {error.start}).", "Encode the JSON as UTF-8."
            ) from None
    if too_deep(text):
        raise BadRequest(
            f"The JSON is nested more than {MAX_DEPTH} levels deep.", "Send flatter resources."
        )
    return text


def parse(text: bytes | Raw) -> Any:
    """The JSON value in ``text``.

    Raises BadRequest, without quoting the text, for malformed JSON and numbers that are too large.
    """
    try:
        return decoded(_read_anything, bytes(text))[0]
    except msgspec.ValidationError as error:  # any type is accepted, so it is about a number
        raise _malformed(error, len(text)) from None


def to_json(value: object) -> bytes:
    """``value`` as JSON, with the decimals that `parse` read."""
    return _write(value)


def decoded(decode: Callable[[bytes], _T], text: bytes) -> tuple[_T, bytes]:
    """The decoded ``text``, and the text that could be decoded.

    Raises BadRequest for malformed JSON; a ValidationError of ``decode`` propagates.
    """
    try:
        try:
            return decode(text), text
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # Half a surrogate pair, from a text that was cut inside it, is replaced.
            fixed = _SURROGATES.sub(_without_half, text)
            if fixed == text:
                raise
            return decode(fixed), fixed
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError) as error:
        raise _malformed(error, len(text)) from None


def _without_half(match: re.Match[bytes]) -> bytes:
    return match[0] if match[1] or match[2] else rb"\ufffd"


def too_deep(body: bytes) -> bool:
    """Whether arrays and objects are nested more than `MAX_DEPTH` levels deep.

    Brackets in strings hide a level where they close one and open one in its place. Looking for
    that in every body would take longer than decoding it; it is read up to the depth at which the
    decoder refuses it.
    """
    if not _exceeds_depth(body.translate(_ONE_KIND, _NO_BRACKETS), or_unbalanced=True):
        return False
    # The brackets may be inside strings: leave strings out. Every step is one fast pass over the
    # body, whatever it holds, because nothing has been decoded yet.
    plain = body.replace(rb"\\", b"").replace(rb"\"", b"").translate(_ONE_KIND, _NO_QUOTES)
    return _exceeds_depth(b"".join(plain.split(b'"')[::2]))


def _exceeds_depth(brackets: bytes, *, or_unbalanced: bool = False) -> bool:
    """Whether brackets (of one kind) are nested more than `MAX_DEPTH` levels deep, or perhaps: not
    all are closed, or more than were opened."""
    limit = MAX_DEPTH
    for _ in range(_ROUNDS):
        if not brackets:
            return False
        # One round removes the innermost level.
        outer = brackets.replace(b"[]", b"")
        if len(outer) == len(brackets):
            break
        brackets = outer
        limit -= 1
    # Rarely this deep: count in slices, because no other thread runs while one is counted.
    steps = memoryview(brackets.translate(_STEPS)).cast("b")
    depth = 0
    for start in range(0, len(steps), _SLICE):
        levels = list(accumulate(steps[start : start + _SLICE], initial=depth))
        if max(levels) > limit or (or_unbalanced and min(levels) < 0):
            return True
        depth = levels[-1]
    return or_unbalanced and depth != 0


def _malformed(error: Exception, size: int) -> BadRequest:
    message = str(error)
    at = _AT.search(message)
    place = f" (byte {at[1]})" if at else ""
    if "truncated" in message:
        return BadRequest(
            f"The body is not valid JSON: it ends too early, after byte {size}.", "Send all of it."
        )
    if _OUT_OF_RANGE in message:
        return BadRequest(f"The body has a number that is too large{place}.", "Correct the number.")
    return BadRequest(f"The body is not valid JSON{place}.", "Send one JSON object.")
