"""JSON from sources that may be hostile: tokens, key sets, client lists.

It is stricter than the standard parser, so that no two parsers understand a text differently:
UTF-8 only, no repeated names, no NaN or infinity.
"""

from __future__ import annotations

import json
from math import isinf


def read_json(text: bytes) -> object:
    """The JSON value in ``text`` (UTF-8). Raises ValueError with a reason that quotes nothing."""
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_object(text: bytes) -> dict[str, object]:
    """The JSON object in ``text``. Raises ValueError with a reason that quotes nothing."""
    value = read_json(text)
    if isinstance(value, dict):
        return value
    raise ValueError("not a JSON object")


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    known = dict(pairs)
    if len(known) != len(pairs):
        raise ValueError("a name is repeated in one object")
    return known


def _refuse_constant(_: str) -> object:
    raise ValueError("NaN and infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError("a number is too large")
    return number
