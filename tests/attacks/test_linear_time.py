"""Time is linear in what comes from outside: each size is doubled, and the exponent checked.

Source: faults 1 and 10 of the attacks on the running service. The list of the program's regular
expressions is made from its modules and schemas; one that is not on it fails the last two tests.
"""

from __future__ import annotations

import ast
import gc
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from cds_service.calls.shapes import _compiled
from cds_service.calls.strict_json import checked_text, parse, too_deep
from cds_service.errors import BadRequest
from cds_service.fhir.values.strengths import ingredients_of
from hooks.knowledge import vocabulary
from tests.testing.thorough import ALL, thorough

ROOT = Path(__file__).parents[2]
HIGHEST = 1.6
"""Exponent of time over size that still counts as linear; an attack needs two."""
_ENOUGH_S = 0.002  # below this, the clock is too coarse

BODIES: dict[str, Callable[[int], bytes]] = {
    "escaped quotes, never closed": lambda n: b'{"a":"' + b'\\"' * (n // 2),
    "backslashes, never closed": lambda n: b'{"a":"' + b"\\" * n,
    "quotes": lambda n: b'"' * n,
    "opening brackets": lambda n: b"[" * n,
    "opening brackets in texts": lambda n: b'["[",' * (n // 5),
    "closing brackets in texts": lambda n: b'["]",' * (n // 5),
    "60 levels again and again": lambda n: (b"[" * 60 + b"]" * 60) * (n // 120),
    "60 levels, never closed": lambda n: (b"[" * 60 + b"]" * 59) * (n // 119),
    "pairs of brackets": lambda n: b"[" + b"[]," * (n // 3),
    "unpaired surrogates": lambda n: b'{"a":"' + b"\\ud800" * (n // 6),
    "unpaired surrogates with an end": lambda n: b'{"a":"' + b"\\ud800" * (n // 6) + b'"}',
    "escapes cut short": lambda n: b'{"a":"' + b"\\u" * (n // 2) + b'"}',
    "digits": lambda n: b'{"a":' + b"7" * n + b"}",
    "decimals": lambda n: b'{"a":0.' + b"7" * n + b"}",
    "white space": lambda n: b" " * n,
    "white space in an object": lambda n: b"{" + b" \n" * (n // 2),
    "commas": lambda n: b"[" + b"," * n,
    "one name again and again": lambda n: b"{" + b'"a":1,' * (n // 6) + b'"a":1}',
}

TEXTS = (
    "mg ", "mg", "1 mg ", "    ", "\t", "a  ", "9", "1,111", "1.1.", ",", " / ", "(", "[ ", "]",
    "aspirin 1 ", "potassium ", "magnesium mg ", "no cramps ", "denies leg cramps, ",
    "no quinine, ", "no history of ", "cramps or ", "quinine and ", "per of mg ", "ruled out ",
    "without cramps but ", "é", "ﬁ", "İ", "mg/ml / ", "24 hr ", "'", "-", "\x00",
)  # fmt: skip


def exponent(do: Callable[[Any], object], make: Callable[[int], Any], start: int) -> float:
    """The power of the size with which the time grows, between sizes that take long enough."""
    size, spent = start, 0.0
    while size < start << 12:
        spent = _best(do, make(size))
        if spent > _ENOUGH_S:
            break
        size *= 2
    if spent <= _ENOUGH_S:
        return 0.0
    large = make(size * 4)
    # One measurement, if it is fast enough: a busy machine can only make it slower.
    once = math.log(_best(do, large, rounds=1) / spent, 4)
    return once if once < HIGHEST else math.log(_best(do, large) / spent, 4)


def _best(do: Callable[[Any], object], given: Any, rounds: int = 3) -> float:
    shortest = math.inf
    for _ in range(rounds):
        started = process_time()
        with suppress(BadRequest):
            do(given)
        shortest = min(shortest, process_time() - started)
    return shortest


def _read(body: bytes) -> object:
    return parse(checked_text(body))


@pytest.fixture(autouse=True)
def _without_collection() -> Iterator[None]:
    """The garbage collector runs at its own thresholds, which would distort the measurement."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("shape", BODIES)
# Reading counts the depth, too.
@pytest.mark.parametrize(
    "do",
    [pytest.param(_read, id="reading"), pytest.param(too_deep, id="depth", marks=thorough)],
)
def test_a_body_is_read_in_linear_time(shape: str, do: Callable[[bytes], object]) -> None:
    assert exponent(do, BODIES[shape], 4096) < HIGHEST


def test_48_kb_of_unclosed_text_take_no_time() -> None:
    body = BODIES["escaped quotes, never closed"](48_000)

    assert _best(_read, body) < 0.1


WORDS = ("CONDITIONS", "MEDICATIONS", "OBSERVATIONS", "ORDERS", "ALLERGIES")


# One reader for all lists: each text in one of them, or in every one when all tests are run.
@pytest.mark.parametrize(
    ("words", "unit"),
    [
        pytest.param(words, unit, id=f"{words}-{unit!r}", marks=() if everyday else thorough)
        for row, words in enumerate(WORDS)
        for column, unit in enumerate(TEXTS)
        for everyday in [row == column % len(WORDS)]
    ],
)
def test_a_text_is_read_in_linear_time(words: str, unit: str) -> None:
    known = getattr(vocabulary, words)

    def read(text: str) -> object:
        return known._read_text(text)

    assert exponent(read, lambda n: unit * (n // len(unit)), 256) < HIGHEST


@pytest.mark.parametrize("unit", TEXTS, ids=repr)
def test_a_product_name_is_read_in_linear_time(unit: str) -> None:
    read = ingredients_of
    assert _best(read, (unit * 500)[:500]) < 0.05


_AFFIXES = ("", "1", "a", "(", '"', "/", "x" * 3)
_UNITS = (
    "a", "1", " ", "\t", "-", ".", ",", "/", "(", "[", "\\", '"', "a ", "1 ", "1,111", "a-", "a.",
    "www.", "http:", "<a", "A/1", "/_history/", "\\ud800", "patient/", "every 1 ", "1 mg ",
    ", persistent ", "0x", "a+", "%41", "\u00e9",
)  # fmt: skip


def _held(name: str, value: object) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """The expressions that a name stands for: itself, or those in its table."""
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _held(f"{name}[{key!r}]", item)
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(value):
            yield from _held(f"{name}[{index}]", item)


def _expressions() -> dict[str, re.Pattern[Any]]:
    """Every compiled expression that a module or class of the program holds, by its place; and
    the patterns of the schemas, which are compiled when they are first needed."""
    expressions: dict[str, re.Pattern[Any]] = {}
    for package in ("cds_service", "hooks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" in path.parts or "re.compile(" not in path.read_text():
                continue
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = import_module(name.removesuffix(".__init__"))
            for owner in (
                module,
                *(member for member in vars(module).values() if isinstance(member, type)),
            ):
                for key, value in tuple(vars(owner).items()):
                    for label, pattern in _held(key, value):
                        place = f"{name}.{getattr(owner, '__qualname__', '')}.{label}"
                        expressions[place] = pattern
    for path in sorted((ROOT / "cds_service").rglob("*.schema.json")):
        for escaped in re.findall(r'"pattern": *"((?:[^"\\\\]|\\\\.)*)"', path.read_text()):
            pattern = json.loads(f'"{escaped}"')
            expressions[f"{path.name}..{pattern}"] = _compiled(pattern)
    return expressions


EXPRESSIONS = _expressions()


def _uses(place: str) -> tuple[Callable[[Any], object], ...]:
    """How the program applies the expression: at one place only, or wherever it fits."""
    pattern = EXPRESSIONS[place]
    if ".schema.json." in place:
        return (pattern.search,)
    module, _, name = place.partition("[")[0].rpartition(".")
    path = ROOT / (module.rpartition(".")[0].replace(".", "/") + ".py")
    source = (path if path.exists() else path.with_suffix("") / "__init__.py").read_text()
    if re.search(rf"\b{name}\.(search|sub|subn|finditer|findall|split)\b", source):
        return (lambda text: sum(1 for _ in pattern.finditer(text)),)
    return (pattern.fullmatch, pattern.match)


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_an_expression_takes_linear_time(place: str) -> None:
    """Searched and matched over long runs of matching text, with and without a matching start:
    every start where all tests are run, otherwise none and, for each run, one other."""
    uses = _uses(place)
    of_bytes = isinstance(EXPRESSIONS[place].pattern, bytes)

    def spent(do: Callable[[Any], object], size: int, unit: str, before: str) -> float:
        text = before + unit * (size // len(unit)) + "\x00"
        given: Any = text.encode() if of_bytes else text
        started = process_time()
        do(given)
        return process_time() - started

    slow = [
        (unit, before)
        for number, unit in enumerate(_UNITS)
        for position, before in enumerate(_AFFIXES)
        if ALL or not before or (number + position) % len(_AFFIXES) == 0
        for do in uses
        if (short := spent(do, 2_000, unit, before)) > 0.0008
        and spent(do, 8_000, unit, before) / short > 4**HIGHEST
        # One slow run may be the machine; two are the expression.
        and spent(do, 16_000, unit, before) / spent(do, 4_000, unit, before) > 4**HIGHEST
    ]
    assert not slow, slow[:3]


def test_no_expression_is_compiled_where_this_test_does_not_look() -> None:
    """Expressions are compiled once, at the top of a module or class, so that all are tested."""
    elsewhere = []
    for package in ("cds_service", "hooks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            if not re.search(r"\bre\.", text):
                continue
            tree = ast.parse(text)
            inside_functions = {
                id(node)
                for owner in ast.walk(tree)
                if isinstance(owner, ast.FunctionDef)
                for node in ast.walk(owner)
            }
            for node in ast.walk(tree):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "re"
                    and (id(node) in inside_functions or node.func.attr != "compile")
                    and node.func.attr != "escape"
                ):
                    elsewhere.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    # The schemas' own patterns, and names of prefetch keys (`re.escape`): both are ours.
    assert {place.rpartition(":")[0] for place in elsewhere} <= ALLOWED, elsewhere


def test_every_expression_of_a_module_is_among_those_tested() -> None:
    """Also those in tables: as many are tested as the text of the module compiles."""
    for package in ("cds_service", "hooks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            assert "from re import" not in text, path
            assert "import re as" not in text, path
            compiled = text.count("re.compile(")
            place = str(path.relative_to(ROOT))
            if not compiled or place in ALLOWED or "migrations" in path.parts:
                continue
            name = place.removesuffix(".py").replace("/", ".")
            tested = [place for place in EXPRESSIONS if place.startswith(f"{name}.")]
            assert len(tested) >= compiled, (place, tested)


ALLOWED = {"cds_service/calls/shapes.py", "cds_service/sources/one_patient.py"}
