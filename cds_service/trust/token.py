"""The parts of a signed token (RFC 7515, compact form), before any of it is verified."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Final

from cds_service.trust.strict_json import read_object

LONGEST: Final = 8192  # characters; real ones have 500 to 1,500
_LONGEST_TEXT: Final = 512  # characters of a claim that is kept, compared or logged
_SCHEME: Final = re.compile(r"bearer +(\S+)", re.IGNORECASE | re.ASCII)
_COMPACT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)
# Seconds from 1970 to the end of the year 9999, which every date type can represent.
_LAST_SECOND: Final = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Token:
    """Header and claims as JSON objects, the signed bytes and the signature."""

    header: dict[str, object]
    claims: dict[str, object]
    signed: bytes
    signature: bytes


def bearer_token(authorization: str | None) -> str:
    """The token in an Authorization header. Raises ValueError with a reason."""
    if not authorization:
        raise ValueError("there is no Authorization header")
    found = _SCHEME.fullmatch(authorization.strip(" \t"))
    if found is None:
        raise ValueError("the Authorization header is not Bearer, a space and one token")
    return found[1]


def read_token(compact: str) -> Token:
    """The parts of ``compact``. Raises ValueError with a reason that quotes nothing from it."""
    if len(compact) > LONGEST:
        raise ValueError(f"the token is longer than {LONGEST} characters")
    if compact.count(".") == 4:
        raise ValueError("the token is encrypted (JWE); a signed one (JWS) is needed")
    found = _COMPACT.fullmatch(compact)
    if found is None:
        raise ValueError("the token is not three base64url parts with dots between them")
    return Token(
        header=_object(found[1], "header"),
        claims=_object(found[2], "payload"),
        signed=f"{found[1]}.{found[2]}".encode("ascii"),
        signature=_bytes(found[3], "signature"),
    )


def _bytes(part: str, name: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise ValueError(f"the token's {name} is not base64url") from None


def _object(part: str, name: str) -> dict[str, object]:
    try:
        return read_object(_bytes(part, name))
    except ValueError as error:
        raise ValueError(f"the token's {name} cannot be used: {error}") from None


def text(part: dict[str, object], name: str) -> str:
    """A required text. Raises ValueError where it is absent, empty, too long or not printable."""
    value = part.get(name)
    if value is None:
        raise ValueError(f"{name} is missing")
    # Unprintable characters, and lone surrogates, could break a database or a log line.
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT or not value.isprintable():
        raise ValueError(f"{name} is not a text of 1 to {_LONGEST_TEXT} printable characters")
    return value


def seconds(claims: dict[str, object], name: str) -> float:
    """A required time claim, in seconds since 1970. Raises ValueError."""
    value = claims.get(name)
    if value is None:
        raise ValueError(f"{name} is missing")
    if isinstance(value, int | float) and value is not True and 0 < value <= _LAST_SECOND:
        return float(value)
    raise ValueError(f"{name} is not a number of seconds between 1970 and 9999")


def texts(claims: dict[str, object], name: str) -> tuple[str, ...]:
    """A required claim that is a text or a list of texts. Raises ValueError."""
    value = claims.get(name)
    if value is None:
        raise ValueError(f"{name} is missing")
    values = value if isinstance(value, list) else [value]
    valid = tuple(each for each in values if isinstance(each, str) and each)
    if not valid or len(valid) != len(values):
        raise ValueError(f"{name} is neither a text nor a list of texts")
    return valid
