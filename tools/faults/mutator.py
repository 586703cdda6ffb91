"""Spoils calls in the ways that senders, proxies and people spoil them; seeded."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tools.faults.bodies import FEEDBACK, SELECT, VIEW, feedback, scenarios
from tools.faults.load import Call

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -1e-308, 10**40, 2**63, "", " ", "null", "NaN", "é" * 40,
    "\u202edcba", "\x00", "\U0001f9b5", "<script>alert(1)</script>", "' OR 1=1 --", "../../etc",
    "2024-13-45", "9999-12-31T23:59:60Z", "0000-00-00", "-5", "1e400", "Patient/" + "x" * 300,
    [], {}, [[]], {"": ""}, [None], {"resourceType": "Bundle"}, {"resourceType": 7},
    {"reference": "#"}, {"value": "7", "unit": None}, {"coding": "x"}, ["Patient/p1"] * 3,
)  # fmt: skip
_HUGE = ("1e400", "-1e400", "1" * 5_000, "0." + "3" * 5_000, "1E+2147483648", "-0", "00", "1e")
_HEADERS: tuple[dict[str, str], ...] = (
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/fhir+json; charset=utf-8"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "multipart/form-data; boundary=x"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": ""},
    {"Content-Encoding": "gzip"},
    {"Content-Encoding": "identity"},
    {"Accept": "text/html"},
    {"Accept": "*/*;q=nonsense"},
    {"Authorization": "Bearer not.a.token"},
    {"Authorization": "Basic dTpw"},
    {"Authorization": "Bearer " + "x" * 6_000},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Cookie": "a=" + "b" * 4_000},
    {"X-Forwarded-For": "127.0.0.1, ::1", "X-Forwarded-Proto": "gopher"},
    {"Range": "bytes=0-1"},
    {"If-None-Match": "*"},
    {"X-Http-Method-Override": "DELETE"},
)
_PATHS = (
    "/cds-services/leg-cramps-patient-view/", "/cds-services/", "/cds-services/nobody",
    "/cds-services/leg-cramps-patient-view/feedback", "/cds-services/%2e%2e/healthz",
    "/cds-services/leg-cramps-patient-view?x=%00", "/cds-services/leg-cramps-order-select%20",
    "//cds-services/leg-cramps-patient-view", "/metrics", "/healthz", "/%ff%fe",
)  # fmt: skip


def mutated(count: int, seed: int) -> Iterator[Call]:
    """``count`` spoilt calls, the same ones for the same seed; the note names the ways."""
    dice = random.Random(seed)  # noqa: S311  # repeatable, not secret
    originals = [*scenarios(), json.loads(feedback("5f1d9f5a-3a80-4c0b-9f3f-8f0a3c0e7b11"))]
    for _ in range(count):
        yield _one(dice, dice.choice(originals))


def _one(dice: random.Random, original: dict[str, Any]) -> Call:
    path = {"patient-view": VIEW, "order-select": SELECT}.get(original.get("hook", ""), FEEDBACK)
    tree: Any = copy.deepcopy(original)
    names: list[str] = []
    if dice.random() < 0.8:
        for _ in range(dice.choice((1, 1, 2, 4, 12))):
            name, change = dice.choice(_CHANGES)
            tree = change(dice, tree)
            names.append(name)
    body = json.dumps(tree, ensure_ascii=dice.random() < 0.5, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    if not names or dice.random() < 0.45:
        name, spoil = dice.choice(_SPOILS)
        body = spoil(dice, body)
        names.append(name)
    headers: dict[str, str] = {}
    if dice.random() < 0.08:
        headers = dict(dice.choice(_HEADERS))
        names.append("headers")
    if dice.random() < 0.03:
        path = dice.choice(_PATHS)
        names.append("path")
    return Call(path, body, headers, "+".join(names))


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of the tree."""
    found: list[tuple[Any, Any]] = []
    open_ = [tree]
    while open_:
        one = open_.pop()
        keys: Any = (
            one if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ()
        )
        for key in keys:
            found.append((one, key))
            open_.append(one[key])
    return found


def _at(dice: random.Random, tree: Any) -> tuple[Any, Any] | None:
    places = _places(tree)
    return dice.choice(places) if places else None


def _drop(dice: random.Random, tree: Any) -> Any:
    if found := _at(dice, tree):
        del found[0][found[1]]
    return tree


def _replace(dice: random.Random, tree: Any) -> Any:
    if found := _at(dice, tree):
        found[0][found[1]] = copy.deepcopy(dice.choice(_ODD))
    return tree


def _duplicate(dice: random.Random, tree: Any) -> Any:
    if (found := _at(dice, tree)) and len(_places(tree)) < 20_000:
        holder, key = found
        again = json.loads(json.dumps(holder[key]))  # copy.deepcopy goes less deep
        if isinstance(holder, list):
            holder.extend([again] * dice.choice((1, 3)))
        else:
            holder[f"{key}2"] = again
    return tree


def _deepen(dice: random.Random, tree: Any) -> Any:
    if found := _at(dice, tree):
        value = found[0][found[1]]
        for _ in range(dice.choice((1, 5, 40, 70))):
            value = [value] if dice.random() < 0.5 else {"resource": value}
        found[0][found[1]] = value
    return tree


def _swap_type(dice: random.Random, tree: Any) -> Any:
    if found := _at(dice, tree):
        value = found[0][found[1]]
        choices: list[Any] = [str(value)[:200], [value], {"value": value}]
        if isinstance(value, str):
            choices += [len(value), value.upper(), value[: len(value) // 2], value[::-1]]
        if isinstance(value, list):
            choices += [value[0] if value else None, {str(at): one for at, one in enumerate(value)}]
        if isinstance(value, int | float):
            choices += [-value, str(value), value * 1_000_000]
        found[0][found[1]] = dice.choice(choices)
    return tree


def _swap_two(dice: random.Random, tree: Any) -> Any:
    one, other = _at(dice, tree), _at(dice, tree)
    if one and other:
        first, second = copy.deepcopy(one[0][one[1]]), copy.deepcopy(other[0][other[1]])
        one[0][one[1]], other[0][other[1]] = second, first
    return tree


def _unicode(dice: random.Random, tree: Any) -> Any:
    texts = [(holder, key) for holder, key in _places(tree) if isinstance(holder[key], str)]
    if texts:
        holder, key = dice.choice(texts)
        at = dice.randrange(len(holder[key]) + 1)
        odd = dice.choice(
            ("\x00", "\ud800", "\udfff", "\u202e", "\ufeff", "\U0010ffff", "\n", "|", "\x7f")
        )
        holder[key] = holder[key][:at] + odd + holder[key][at:]
    return tree


_CHANGES: tuple[tuple[str, Callable[[random.Random, Any], Any]], ...] = (
    ("drop", _drop), ("replace", _replace), ("replace", _replace), ("duplicate", _duplicate),
    ("deepen", _deepen), ("type", _swap_type), ("type", _swap_type), ("exchange", _swap_two),
    ("unicode", _unicode),
)  # fmt: skip


def _flip(dice: random.Random, body: bytes) -> bytes:
    spoilt = bytearray(body)
    for _ in range(dice.choice((1, 2, 8, 64))):
        if spoilt:
            spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
    return bytes(spoilt)


def _truncate(dice: random.Random, body: bytes) -> bytes:
    return body[: dice.randrange(len(body) + 1)]


def _cut_out(dice: random.Random, body: bytes) -> bytes:
    at = dice.randrange(len(body) + 1)
    return body[:at] + body[at + dice.choice((1, 5, 50, 500)) :]


def _number(dice: random.Random, body: bytes) -> bytes:
    at = body.find(b":", dice.randrange(len(body) + 1))
    end = body.find(b",", at)
    return body if at < 0 or end < 0 else body[: at + 1] + dice.choice(_HUGE).encode() + body[end:]


def _twice(dice: random.Random, body: bytes) -> bytes:
    """Repeat a key of an object, with the same or another value."""
    at = body.find(b'{"', dice.randrange(len(body) + 1))
    end = body.find(b'":', at)
    if at < 0 or end < 0:
        return body
    value = dice.choice((b"null", b'"x"', b"1", b"{}", b"[]"))
    return body[: at + 1] + body[at + 1 : end] + b'":' + value + b"," + body[at + 1 :]


def _wrapped(dice: random.Random, body: bytes) -> bytes:
    around = dice.choice(
        ((b"\xef\xbb\xbf", b""), (b"[", b"]"), (b"", b"\x00"), (b" \n\t", b" "), (b"", b"{}"),
         (b"callback(", b")"), (b'"', b'"'), (b"\xff\xfe", b""))
    )  # fmt: skip
    return around[0] + body + around[1]


def _utf16(_dice: random.Random, body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode("utf-16")


_SPOILS: tuple[tuple[str, Callable[[random.Random, bytes], bytes]], ...] = (
    ("flip", _flip), ("flip", _flip), ("truncate", _truncate), ("cut", _cut_out),
    ("number", _number), ("number", _number), ("key twice", _twice), ("key twice", _twice),
    ("wrap", _wrapped), ("utf-16", _utf16),
)  # fmt: skip
