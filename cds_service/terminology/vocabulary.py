"""From codes and texts to clinical concepts, by code lists and name lists that are data.

The code has no medical knowledge: the meaning of codes and names, the words that negate a name,
and the forms of a product that do not count are all in CSV files (see ``hooks/knowledge``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from cds_service.terminology.call_texts import digest, memory, spend
from cds_service.terminology.codelists import MARKS, NAMES, CodeList, Name
from cds_service.terminology.codes import (
    ATC,
    ICD10CM,
    SNOMED,
    Coding,
    category_of,
    normal_key,
    normal_system,
)
from cds_service.terminology.negation import ALL_CONCEPTS, NegationMarks
from cds_service.terminology.wording import Match, PatternIndex, Words, read_pattern, split_words

_CLASSIFICATIONS = frozenset({ATC, ICD10CM})
_WORD = 5  # least letters of a name that is looked for among other words ("K" is too short)
_MOST_TEXTS = 20_000
"""Most texts whose concepts a vocabulary remembers: by digest, some 150 bytes each."""


class TextUse(Enum):
    """When the texts of an entry are read."""

    ALWAYS = "always"
    WHEN_NO_CODE_FITS = "when no code is in a list"


class Vocabulary:
    """Maps codings and texts of one kind of entry (conditions, medications, …) to concepts."""

    def __init__(
        self,
        lists: Iterable[CodeList],
        names: Iterable[Name],
        text_use: TextUse = TextUse.ALWAYS,
    ) -> None:
        self._text_use = text_use
        self._codes: dict[str, list[Coding]] = {}
        exact: dict[tuple[str, str], set[str]] = {}
        excluded: dict[tuple[str, str], set[str]] = {}
        classes: dict[tuple[str, str], set[str]] = {}
        excluded_classes: dict[tuple[str, str], set[str]] = {}
        for entry in lists:
            for row in entry.rows:
                key = (row.code.system, str(row.code))
                prefix = category_of(row.code)
                if entry.excludes:
                    target = excluded if prefix is None else excluded_classes
                else:
                    target = exact if prefix is None else classes
                target.setdefault((key[0], prefix or key[1]), set()).add(entry.concept)
                if entry.excludes:
                    continue
                self._codes.setdefault(entry.concept, []).append(Coding(*key, row.display))
        rows = tuple(names)
        self._implied: dict[str, set[str]] = {}
        for name in rows:
            if name.kind == "implies":
                self._implied.setdefault(name.concept, set()).add(name.pattern)
        self._classes = {key: self._with_implied(found) for key, found in classes.items()}
        self._excluded = {key: frozenset(found) for key, found in excluded.items()}
        self._excluded_classes = {k: frozenset(found) for k, found in excluded_classes.items()}
        self.code_index: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType(
            {
                key: self._with_implied(found) - self._excluded.get(key, frozenset())
                for key, found in exact.items()
            }
        )
        self._systems = {key[0] for key in (*exact, *classes, *excluded, *excluded_classes)}
        self._rows = tuple(
            row for row in rows if row.kind not in ("implies", "qualifier", "neutral")
        )
        # The other words in a text that a bare name may have and still count.
        neutral = _words_of(row for row in rows if row.kind == "neutral")
        bare = [row for row in rows if row.kind == "bare"]
        self._neutral_words = {
            concept: neutral | _words_of(row for row in bare if row.concept == concept)
            for concept in {row.concept for row in bare}
        }
        free = (row.pattern.split()[0].lower() for row in rows if row.kind == "qualifier")
        self._patterns = PatternIndex([read_pattern(row.pattern) for row in self._rows], free)
        self.concepts_with_names = frozenset(row.concept for row in rows if row.kind in NAMES)
        self.all_concepts = frozenset(self._codes) | self.concepts_with_names
        self.all_concepts = self._with_implied(self.all_concepts) | frozenset(self._implied)
        self._texts_read: dict[bytes, _TextReading] = {}
        self._found: dict[object, Any] = {}  # equal findings are kept once
        self._wordings: dict[bytes, Wording] = {}

    def concepts(self, codings: Sequence[Coding], texts: Sequence[str]) -> frozenset[str]:
        """All concepts that the codings, their displays and the texts stand for.

        Raises TooMuchTextError beyond the budget of the call.
        """
        call, key = memory(), (self, tuple(codings), tuple(texts))
        found: frozenset[str] | None = call.get(key)
        if found is None:
            found = call[key] = self._concepts(key[1], key[2])
        return found

    def wording(self, codings: Sequence[Coding], texts: Sequence[str]) -> Wording:
        """What codings and texts say, as a `Wording`.

        Raises TooMuchTextError beyond the budget of the call.
        """
        concepts = self.concepts(codings, texts)
        in_words = _in_words(codings, texts)
        read = in_words or self._of_a_listed_system(codings)
        certain = in_words or (read and self._is_certain(codings))
        return Wording(concepts, bool(codings or texts), read, certain)

    def cached_wording(self, raw: bytes, read: Callable[[], Wording]) -> Wording:
        """The wording of undecoded bytes, read by ``read`` unless the same bytes were read before.

        Only the digest of the bytes is kept; empty bytes are always read.
        """
        if not raw:
            return read()
        name = digest(raw)
        known = self._wordings.get(name)
        if known is None:
            known = read()
            if len(self._wordings) >= _MOST_TEXTS:
                self._wordings = {}
            self._wordings[name] = known = self._found.setdefault(known, known)
        return known

    def mentions(self, codings: Sequence[Coding], texts: Sequence[str]) -> frozenset[str]:
        """The concepts whose bare names occur among other words, so that they may be meant."""
        read = [coding.display for coding in codings if coding.display]
        readings = [self._read(text) for text in (*read, *texts) if text]
        denied = {concept for reading in readings for concept in reading.denied}
        if ALL_CONCEPTS in denied:
            return frozenset()
        return frozenset(concept for reading in readings for concept in reading.mentioned) - denied

    def reads(self, codings: Sequence[Coding], texts: Sequence[str]) -> bool:
        """Whether an entry says what it is: in words, or by a code of a system in the lists.

        Words in other scripts than Latin are not read.
        """
        return _in_words(codings, texts) or self._of_a_listed_system(codings)

    def bare(self, codings: Sequence[Coding], texts: Sequence[str]) -> bool:
        """Whether it has only unlisted SNOMED CT codes and no words.

        It may then be a subtype of a listed concept.
        """
        return (
            not _in_words(codings, texts)
            and all(normal_system(coding.system) == SNOMED for coding in codings)
            and not self.lists(codings)
        )

    def _of_a_listed_system(self, codings: Iterable[Coding]) -> bool:
        return any(normal_system(coding.system) in self._systems for coding in codings)

    def _is_certain(self, codings: Iterable[Coding]) -> bool:
        """Whether a code is listed, or belongs to a classification: there an unlisted code is
        known not to belong to a listed category."""
        return self.lists(codings) or any(
            normal_system(coding.system) in _CLASSIFICATIONS for coding in codings
        )

    def lists(self, codings: Iterable[Coding]) -> bool:
        """Whether one of the codings is listed, even if only to rule out a concept."""
        return any(any(self._by_code(normal_key(coding.system, coding.code))) for coding in codings)

    def codes(self, concept: str) -> tuple[Coding, ...]:
        """The codes listed for a concept (categories as written), for search templates."""
        codings = list(self._codes.get(concept, ()))
        for part, implied in self._implied.items():
            if concept in implied:
                codings.extend(self.codes(part))
        return tuple(dict.fromkeys(codings))

    def rows_of(self, concept: str) -> frozenset[tuple[str, ...]]:
        """What defines a concept: its codes, its names, what they rule out, and what implies it.

        Rows for every concept (``*``) are not among them.
        """
        ruled_out = {**self._excluded, **self._excluded_classes}
        return frozenset(
            {
                *(("code", coding.system, coding.code) for coding in self._codes.get(concept, ())),
                *(("no code", *key) for key, found in ruled_out.items() if concept in found),
                *((row.kind, row.pattern) for row in self._rows if row.concept == concept),
                *(("implied by", part) for part, all_ in self._implied.items() if concept in all_),
                *(("implies", whole) for whole in self._implied.get(concept, ())),
            }
        )

    def _with_implied(self, concepts: Iterable[str]) -> frozenset[str]:
        complete = set(concepts)
        waiting = list(complete)
        while waiting:
            new = self._implied.get(waiting.pop(), set()) - complete
            complete |= new
            waiting.extend(new)
        return frozenset(complete)

    def _by_code(self, key: tuple[str, str]) -> tuple[frozenset[str], frozenset[str]]:
        """The concepts that a code stands for, and those that it rules out."""
        meant = self.code_index.get(key, frozenset())
        ruled_out = self._excluded.get(key, frozenset())
        system, code = key
        lengths: Iterable[int] = ()
        if system == ATC:
            lengths = (1, 3, 4, 5, 7)
        elif system == ICD10CM:
            # A record may itself name a category (E11.-).
            code = code.rstrip("-").rstrip(".")
            lengths = range(3, len(code) + 1)
        for length in lengths:
            prefix = (system, code[:length])
            meant |= self._classes.get(prefix, frozenset())
            ruled_out |= self._excluded_classes.get(prefix, frozenset())
        return meant, ruled_out

    def _concepts(self, codings: tuple[Coding, ...], texts: tuple[str, ...]) -> frozenset[str]:
        coded: frozenset[str] = frozenset()
        ruled_out: frozenset[str] = frozenset()
        for coding in codings:
            key = normal_key(coding.system, coding.code)
            meant, excluded = self._by_code(key)
            coded |= meant
            ruled_out |= excluded
        read = [coding.display for coding in codings if coding.display]
        read.extend(text for text in texts if text)
        if self._text_use is TextUse.WHEN_NO_CODE_FITS and (coded or ruled_out):
            read = []
        named: set[str] = set()
        denied: set[str] = set()
        for text in dict.fromkeys(read):
            reading = self._read(text)
            named |= reading.named
            denied |= reading.denied
        removed = ruled_out | denied
        if ALL_CONCEPTS in denied:
            return frozenset()
        # A denied concept does not imply other concepts either.
        return self._with_implied((coded | named) - removed) - ruled_out - denied

    def _read(self, text: str) -> _TextReading:
        """Like `_read_text`, but a text that was read before is not read again.

        Raises TooMuchTextError beyond the budget of the call.
        """
        name = digest(text.encode("utf-8", "surrogatepass"))
        known = self._texts_read.get(name)
        if known is None:
            spend(len(text))
            read = self._read_text(text)
            known = self._found.setdefault(read, read)
            if len(self._texts_read) >= _MOST_TEXTS:
                self._texts_read = {}
            self._texts_read[name] = known
        return known

    def _read_text(self, text: str) -> _TextReading:
        words = split_words(text)
        mentioned: set[str] = set()
        marks: dict[str, list[tuple[str, Match]]] = {kind: [] for kind in MARKS}
        names: list[tuple[str, Match]] = []
        outside: dict[str, int] = {}
        for found in self._patterns.find(words):
            row = self._rows[found.number]
            if row.kind in MARKS:
                marks[row.kind].append((row.concept, found))
            elif row.kind == "bare" and not self._alone(row.concept, found, words, outside):
                if any(len(word) >= _WORD for word in words.words[found.start : found.end]):
                    mentioned.add(row.concept)
            elif _counts(row.kind, found, words):
                names.append((row.concept, found))
        if names and any(marks[kind] for kind in ("not", "before", "after")):
            nearby = NegationMarks(marks, words)
            names = [name for name in names if not nearby.negate(*name)]
        named = frozenset(concept for concept, _ in names)
        denied = {concept for concept, _ in marks["unless"]}
        many: dict[str, set[int]] = {}
        for concept, found in marks["unless_three"]:
            many.setdefault(concept, set()).add(found.number)
        denied |= {concept for concept, numbers in many.items() if len(numbers) >= 3}
        denied -= {concept for concept, _ in marks["even_so"]}
        return _TextReading(named, frozenset(denied), frozenset(mentioned) - named)

    def _alone(self, concept: str, found: Match, text: Words, outside: dict[str, int]) -> bool:
        """Whether all words around a name are neutral.

        ``outside`` caches, by concept, the number of words of the text that are not.
        """
        neutral = self._neutral_words[concept]
        if concept not in outside:
            outside[concept] = sum(word not in neutral for word in text.words)
        own = sum(word not in neutral for word in text.words[found.start : found.end])
        return outside[concept] == own


def _in_words(codings: Sequence[Coding], texts: Sequence[str]) -> bool:
    return any(map(_legible, texts)) or any(_legible(coding.display) for coding in codings)


def _legible(text: str) -> bool:
    """Whether a text has a Latin letter; a single character names nothing."""
    return len(text) > 1 and any("a" <= letter <= "z" for letter in text.lower())


class Wording(NamedTuple):
    """What a CodeableConcept says: its concepts; whether it has ``anything`` at all; whether that
    can be ``read`` (words, or a code of a system with a list); and whether it is ``certain`` what
    it means, unlike a code without words that is in no list."""

    concepts: frozenset[str]
    anything: bool
    read: bool
    certain: bool


class _TextReading(NamedTuple):
    """What one text says: concepts named, ruled out, and only mentioned among other words."""

    named: frozenset[str]
    denied: frozenset[str]
    mentioned: frozenset[str]


def _words_of(rows: Iterable[Name]) -> frozenset[str]:
    return frozenset(
        word for row in rows for item in row.pattern.split() for word in item.split("|")
    )


def _counts(kind: str, found: Match, text: Words) -> bool:
    if kind == "exact":
        return found.end - found.start == len(text.words)
    # "Calcium carbonate 600 MG [Maalox ...]": here the listed ingredients decide.
    return kind != "brand" or not text.bracketed[found.start]
