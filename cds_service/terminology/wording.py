"""Names in free text: patterns that a clinician can read, matched by whole words.

A pattern consists of words; capitals, accents, hyphens and apostrophes are ignored.

    muscle cramps        these words, next to each other
    leg|calf cramp*      ``|`` separates choices for one word; ``*`` is the rest of a word
    *sartan              a word with this ending
    aspirin ... <=100 mg ``...`` allows up to five other words; ``<=100``, ``<100``, ``>=100``,
                         ``>100`` and ``#`` (any) are numbers; ``#x`` is a number with x (6X)
    ^potassium #         ``^`` only where an ingredient begins (``qualifier`` words may come
                         before it)
    ^potassium $         ``$`` only where an ingredient ends
    magnesium + antacid  ``+`` separates parts that may be anywhere in the text, in any order

A pattern never crosses the end of an ingredient (`` / ``), a semicolon or a full stop.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_GAP = 5
_EDGE = 2  # letters at the start or end of a word by which phrases are indexed
_PIECE = re.compile(r"[0-9]+(?:\.[0-9]+)?[a-z]*|[a-z]+[a-z0-9]*|[0-9]+|[/+;.,:()\[\]]")
_PLAIN = re.compile(r"[a-z0-9]+(?: [a-z0-9]+)*")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
# "cK+", "cCa2+": blood gas analysers write c for the concentration of an ion; CK is an enzyme.
_ION = re.compile(r"(?<![a-z0-9])c(k|na|ca2?|mg2?)(?=\+)")
_GLUED = re.compile(r"([0-9.]+)(mg|mcg|ug|g|gm|ml|meq|mmol|unt|iu)")
# A slash after a unit belongs to a strength (MG/ML); after any other word it separates ingredients.
_UNITS = frozenset(
    {
        "mg", "mcg", "ug", "g", "gm", "ml", "l", "meq", "mmol", "unt", "iu", "hr", "actuat",
        "sqcm", "dose", "day", "week", "unit", "units",
    }
)  # fmt: skip
_MEASURES = _UNITS | {"per", "of"}


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text, each with the numbers of its ingredient, clause and sentence.

    ``bracketed`` is True for words in square brackets after others: "Calcium carbonate [Maalox]".
    """

    words: tuple[str, ...]
    part: tuple[int, ...]
    clause: tuple[int, ...]
    sentence: tuple[int, ...]
    bracketed: tuple[bool, ...]


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


_LETTERS = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ß": "ss", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "μ": "u"}
)
"""Letters that Unicode does not decompose into a plain letter and an accent."""


def split_words(text: str) -> Words:
    """The words of a text in lower case, without accents, and with numbers separate from units."""
    plain = text.lower()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain).translate(_LETTERS)
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = _THOUSANDS.sub("", plain.replace("'", "").replace("’", ""))
    if "+" in plain:
        plain = _ION.sub(r"\1", plain)
    words: list[str] = []
    parts: list[int] = []
    clauses: list[int] = []
    sentences: list[int] = []
    asides: list[bool] = []
    bracketed = False
    part = clause = sentence = 0
    for found in _PIECE.finditer(plain):
        piece = found.group()
        if piece == "/":
            spaced = plain[found.start() - 1 : found.start()] == " "
            if bracketed:  # "[Mass/volume] in Serum" is one name
                continue
            if spaced or not words or (words[-1] not in _UNITS and _number(words[-1]) is None):
                part += 1
                clause += 1
            continue
        if piece == "+":
            part += 1
        elif piece in ";.":
            part += 1
            clause += 1
            sentence += 1
        elif piece in ",:()[]":
            clause += 1
            bracketed = (piece == "[" and bool(words)) or (bracketed and piece != "]")
        else:
            glued = _GLUED.fullmatch(piece)
            for word in glued.groups() if glued else (piece,):
                words.append(word)
                parts.append(part)
                clauses.append(clause)
                sentences.append(sentence)
                asides.append(bracketed)
    return Words(tuple(words), tuple(parts), tuple(clauses), tuple(sentences), tuple(asides))


class PatternError(ValueError):
    """A pattern that is not valid."""


def _test_number(word: str, test: str) -> bool:
    if test == "#":
        return _number(word) is not None
    if test.startswith("#"):
        ending = test[1:]
        return word.endswith(ending) and _number(word[: -len(ending)]) is not None
    value = _number(word)
    if value is None:
        return False
    sign = test[:2] if test[1] == "=" else test[0]
    limit = float(test[len(sign) :])
    return {
        "<=": value <= limit,
        "<": value < limit,
        ">=": value >= limit,
        ">": value > limit,
    }[sign]


def _fits(word: str, alternatives: tuple[str, ...]) -> bool:
    for choice in alternatives:
        if choice[0] in "#<>":
            if _test_number(word, choice):
                return True
        elif choice[-1] == "*":
            if word.startswith(choice[:-1]):
                return True
        elif choice[0] == "*":
            if word.endswith(choice[1:]) and len(word) > len(choice) - 1:
                return True
        elif word == choice:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sequence of words in a pattern; each item is a tuple of choices for one word."""

    items: tuple[tuple[str, ...], ...]
    leading: bool = False
    closing: bool = False

    def end_at(self, text: Words, start: int, leading: frozenset[int]) -> int | None:
        """The index after the last word where the phrase begins at ``start``, else None.

        ``leading`` are the words at which an ingredient may begin (see `_leading`).
        """
        if self.leading and start not in leading:
            return None
        end = self._follow(text, start, 0)
        if end is None or not self.closing:
            return end
        last = end - 1
        closes = end == len(text.words) or text.part[end] != text.part[last]
        return end if closes else None

    def _follow(self, text: Words, at: int, item: int) -> int | None:
        while item < len(self.items):
            alternatives = self.items[item]
            if alternatives == ("...",):
                for skipped in range(_GAP + 1):
                    end = self._follow(text, at + skipped, item + 1)
                    if end is not None and text.part[end - 1] == text.part[at - 1]:
                        return end
                return None
            if at >= len(text.words) or not _fits(text.words[at], alternatives):
                return None
            if item and text.part[at] != text.part[at - 1]:
                return None
            at += 1
            item += 1
        return at


def _leading(text: Words, free: frozenset[str]) -> frozenset[int]:
    """The words that only free words, units and numbers precede in their ingredient."""
    leading = []
    part, leads = -1, True
    for at, word in enumerate(text.words):
        if text.part[at] != part:
            part, leads = text.part[at], True
        if leads:
            leading.append(at)
            leads = word in free or word in _MEASURES or word[0].isdigit()
    return frozenset(leading)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A readable pattern: one phrase, or several that must all be found (``+``)."""

    phrases: tuple[Phrase, ...]


def _check(text: str, items: tuple[tuple[str, ...], ...]) -> None:
    if not items or ("...",) in (items[0], items[-1]):
        raise PatternError(f"the pattern {text!r} has an empty part")
    for choices in items:
        for choice in choices:
            if choice.isalnum() or choice == "...":
                continue
            if not choice:
                raise PatternError(f"the pattern {text!r} has an empty part")
            if choice[0] in "<>" and _number(choice.lstrip("<>=")) is None:
                raise PatternError(f"{choice!r} in {text!r} is not a number with a sign")
            if choice.strip("*") == "" or "*" in choice[1:-1]:
                raise PatternError(f"{choice!r} in {text!r}: put * at the end or the start")


@lru_cache(maxsize=8192)
def read_pattern(text: str) -> Pattern:
    """Read a pattern; raises :class:`PatternError` where it is not valid."""
    if _PLAIN.fullmatch(text):  # a short cut for most patterns, to start faster
        return Pattern((Phrase(tuple((word,) for word in text.split(" "))),))
    phrases: list[Phrase] = []
    for part in text.lower().replace("-", " ").replace("'", "").split(" + "):
        words = part.split()
        leading = bool(words) and words[0].startswith("^")
        if leading:
            words[0] = words[0][1:]
        closing = bool(words) and words[-1] == "$"
        if closing:
            words.pop()
        items = tuple(tuple(word.split("|")) for word in words)
        _check(text, items)
        phrases.append(Phrase(items, leading, closing))
    return Pattern(tuple(phrases))


@dataclass(frozen=True, slots=True)
class Match:
    """A pattern found in a text: its number, and the range of its words (start, end)."""

    number: int
    start: int
    end: int


_IndexedPhrase = tuple[int, int, Phrase]
"""A phrase with the number of its pattern and its place among the pattern's phrases."""


class PatternIndex:
    """Many patterns, looked up by their first word, so that a text is read only once."""

    def __init__(self, patterns: Sequence[Pattern], free: Iterable[str] = ()) -> None:
        self._free = frozenset(free)
        self._parts: dict[int, int] = {}  # the number of phrases of a joint pattern
        self._by_word: dict[str, list[_IndexedPhrase]] = {}
        self._by_head: dict[str, list[_IndexedPhrase]] = {}
        self._by_tail: dict[str, list[_IndexedPhrase]] = {}
        for number, pattern in enumerate(patterns):
            if len(pattern.phrases) > 1:
                self._parts[number] = len(pattern.phrases)
            for part, phrase in enumerate(pattern.phrases):
                self._index_phrase(number, part, phrase)

    def _index_phrase(self, number: int, part: int, phrase: Phrase) -> None:
        """Index a phrase by each word (or start or end of a word) with which it may begin."""
        words: set[str] = set()
        heads: set[str] = set()
        tails: set[str] = set()
        for choice in phrase.items[0]:
            if choice[0] in "#<>":
                heads.update("0123456789")
            elif choice[-1] == "*":
                heads.add(choice[:-1][:_EDGE])
            elif choice[0] == "*":
                tails.add(choice[1:][-_EDGE:])
            else:
                words.add(choice)
        entry = (number, part, phrase)
        for keys, index in (
            (words, self._by_word), (heads, self._by_head), (tails, self._by_tail)
        ):  # fmt: skip
            for key in keys:
                index.setdefault(key, []).append(entry)

    def find(self, text: Words) -> Iterator[Match]:
        """Every place where a pattern is found (for joint patterns, the whole text)."""
        leading = _leading(text, self._free)
        joint: dict[int, set[int]] = {}
        for start, word in enumerate(text.words):
            for number, part, phrase in self._phrases_beginning(word):
                seen = joint.get(number)
                if seen is not None and part in seen:
                    continue
                end = phrase.end_at(text, start, leading)
                if end is None:
                    continue
                if number in self._parts:
                    joint.setdefault(number, set()).add(part)
                else:
                    yield Match(number, start, end)
        for number, seen in joint.items():
            if len(seen) == self._parts[number]:
                yield Match(number, 0, len(text.words))

    def _phrases_beginning(self, word: str) -> Iterator[_IndexedPhrase]:
        """The phrases that may begin with a word."""
        yield from self._by_word.get(word, ())
        for keys, index in (
            ({word[0], word[:_EDGE]}, self._by_head),
            ({word[-1], word[-_EDGE:]}, self._by_tail),
        ):
            for key in keys:
                for entry in index.get(key, ()):
                    if _fits(word, entry[2].items[0]):
                        yield entry
