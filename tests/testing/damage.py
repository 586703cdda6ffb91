"""Damages requests in the ways that senders, proxies and people do, from a seed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

Dice = random.Random
ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -1e-308, 10**40, 2**63, "", " ", "null", "NaN", "é" * 40,
    "\u202edcba", "\x00", "\U0001f9b5", "<script>alert(1)</script>", "' OR 1=1 --", "../../etc",
    "2024-13-45", "9999-12-31T23:59:60Z", "0000-00-00", "-5", "1e400", "Patient/" + "x" * 300,
    [], {}, [[]], {"": ""}, [None], {"resourceType": "Bundle"}, {"resourceType": 7},
    {"reference": "#"}, {"value": "7", "unit": None}, {"coding": "x"}, ["Patient/p1"] * 3,
    # What rules read.
    6.8, "unknown", "2026-11-26", "2026-11-26T08:00:00Z", "2030-01-01", "2026-02-31", "2026", "<",
    ">=", "mmol/L", "mg/dL", "no leg cramps", "quinine", "muscle cramp", "entered-in-error",
    "preliminary", "final", "haemolysed", {"reference": "Patient/other"}, {"text": "hypokalaemia"},
    [{"url": "https://x.example", "valueBoolean": True}],
    {"coding": [{"system": "http://loinc.org", "code": "2823-3"}]},
)  # fmt: skip
_HUGE = ("1e400", "-1e400", "1" * 5_000, "0." + "3" * 5_000, "1E+2147483648", "-0", "00", "1e")
HEADERS: tuple[tuple[str, str], ...] = (
    ("Content-Type", "text/plain"), ("Content-Type", "application/fhir+json; charset=utf-8"),
    ("Content-Type", "application/json; charset=utf-16"), ("Content-Type", ""),
    ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Encoding", "gzip"), ("Content-Encoding", "identity"), ("Accept", "text/html"),
    ("Accept", "*/*;q=nonsense"), ("Authorization", "Bearer not.a.token"),
    ("Authorization", "Basic dTpw"), ("Authorization", "Bearer " + "x" * 6_000),
    ("Origin", "https://evil.example"), ("Origin", "null"), ("Cookie", "a=" + "b" * 4_000),
    ("X-Forwarded-For", "127.0.0.1, ::1"), ("X-Forwarded-Proto", "gopher"),
    ("Range", "bytes=0-1"), ("If-None-Match", "*"), ("X-Http-Method-Override", "DELETE"),
)  # fmt: skip
ADDRESSES = (
    "/cds-services/leg-cramps-patient-view/", "/cds-services/", "/cds-services/nobody",
    "/cds-services/leg-cramps-patient-view/feedback", "/cds-services/%2e%2e/healthz",
    "/cds-services/leg-cramps-patient-view?x=%00", "/cds-services/leg-cramps-order-select%20",
    "//cds-services/leg-cramps-patient-view", "/metrics", "/healthz", "/%ff%fe",
)  # fmt: skip
_WRAPS = (
    (b"\xef\xbb\xbf", b""), (b"[", b"]"), (b"", b"\x00"), (b" \n\t", b" "), (b"", b"{}"),
    (b"callback(", b")"), (b'"', b'"'), (b"\xff\xfe", b""),
)  # fmt: skip


def damaged(dice: Dice, original: Any, changes: int) -> tuple[Any, list[str]]:
    """A copy of a JSON value with a number of changes, and their names."""
    tree = copy.deepcopy(original)
    names = [dice.choice(tuple(_CHANGES)) for _ in range(changes)]
    for name in names:
        if places := _places(tree):
            holder, key = dice.choice(places)
            _CHANGES[name](dice, holder, key, places)
    return tree, names


def damaged_bytes(dice: Dice, body: bytes) -> tuple[bytes, str]:
    """The bytes of a request, damaged in one way, and the name of that way."""
    name = dice.choice(tuple(_SPOILS))
    return _SPOILS[name](dice, body, dice.randrange(len(body) + 1)), name


def as_json(dice: Dice, tree: Any) -> bytes:
    """As JSON, with or without escapes; lone surrogates are kept."""
    text = json.dumps(tree, ensure_ascii=dice.random() < 0.5, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of the tree, at most 20,000."""
    places: list[tuple[Any, Any]] = []
    unvisited = [tree]
    while unvisited and len(places) < 20_000:
        container = unvisited.pop()
        indices = range(len(container)) if isinstance(container, list) else ()
        for key in list(container) if isinstance(container, dict) else indices:
            places.append((container, key))
            unvisited.append(container[key])
    return places


def _drop(_dice: Dice, holder: Any, key: Any, _places: Any) -> None:
    del holder[key]


def _replace(dice: Dice, holder: Any, key: Any, _places: Any) -> None:
    holder[key] = copy.deepcopy(dice.choice(ODD))


def _duplicate(dice: Dice, holder: Any, key: Any, _places: Any) -> None:
    duplicate = json.loads(json.dumps(holder[key]))  # copy.deepcopy does not go as deep
    if isinstance(holder, list):
        holder.extend([duplicate] * dice.choice((1, 3)))
    else:
        holder[f"{key}2"] = duplicate


def _deepen(dice: Dice, holder: Any, key: Any, _places: Any) -> None:
    for _ in range(dice.choice((1, 5, 40, 70))):
        holder[key] = [holder[key]] if dice.random() < 0.5 else {"resource": holder[key]}


def _swap_type(dice: Dice, holder: Any, key: Any, _places: Any) -> None:
    value = holder[key]
    choices: list[Any] = [str(value)[:200], [value], {"value": value}]
    if isinstance(value, str):
        choices += [len(value), value.upper(), value[: len(value) // 2], value[::-1]]
    elif isinstance(value, list):
        choices += [value[0] if value else None, {str(n): item for n, item in enumerate(value)}]
    elif isinstance(value, int | float):
        choices += [-value, value * 1_000_000, value / 2, value * 2, round(value * 0.8, 2)]
    holder[key] = dice.choice(choices)


def _exchange(dice: Dice, holder: Any, key: Any, places: Any) -> None:
    other_holder, other_key = dice.choice(places)
    value, other_value = copy.deepcopy(holder[key]), copy.deepcopy(other_holder[other_key])
    holder[key], other_holder[other_key] = other_value, value


def _unicode(dice: Dice, holder: Any, key: Any, _places: Any) -> None:
    if isinstance(holder[key], str):
        position = dice.randrange(len(holder[key]) + 1)
        odd = dice.choice("\x00\ud800\udfff\u202e\ufeff\U0010ffff\n|\x7f")
        holder[key] = holder[key][:position] + odd + holder[key][position:]


_CHANGES: dict[str, Callable[[Dice, Any, Any, Any], None]] = {
    "drop": _drop, "replace": _replace, "duplicate": _duplicate, "deepen": _deepen,
    "type": _swap_type, "exchange": _exchange, "unicode": _unicode,
}  # fmt: skip


def _flip(dice: Dice, body: bytes, _at: int) -> bytes:
    flipped = bytearray(body)
    for _ in range(dice.choice((1, 2, 8, 64))):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    return bytes(flipped)


def _number(dice: Dice, body: bytes, at: int) -> bytes:
    start = body.find(b":", at)
    end = body.find(b",", start)
    if start < 0 or end < 0:
        return body
    return body[: start + 1] + dice.choice(_HUGE).encode() + body[end:]


def _key_twice(dice: Dice, body: bytes, at: int) -> bytes:
    """Repeat a key of an object with another value."""
    start = body.find(b'{"', at)
    end = body.find(b'":', start)
    if start < 0 or end < 0:
        return body
    value = dice.choice((b"null", b'"x"', b"1", b"{}", b"[]"))
    return body[: end + 2] + value + b"," + body[start + 1 :]


def _wrap(dice: Dice, body: bytes, _at: int) -> bytes:
    return body.join(dice.choice(_WRAPS))


_SPOILS: dict[str, Callable[[Dice, bytes, int], bytes]] = {
    "flip": _flip,
    "truncate": lambda _, body, at: body[:at],
    "cut": lambda dice, body, at: body[:at] + body[at + dice.choice((1, 5, 50, 500)) :],
    "number": _number,
    "key twice": _key_twice,
    "wrap": _wrap,
    "utf-16": lambda _, body, _at: body.decode("utf-8", "replace").encode("utf-16"),
}
