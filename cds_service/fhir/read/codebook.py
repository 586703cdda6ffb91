"""What the code of an Observation means to the rules, looked up once for each code met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cds_service.core.analytes import Analyte
from cds_service.core.observing import NOTHING_MORE, ObservedCondition, Observing
from cds_service.fhir.read.specimens import names_blood, names_other_specimen
from cds_service.fhir.values.elements import all_words, codings, readable, texts
from cds_service.terminology.call_texts import TooMuchTextError, digest, memory
from cds_service.terminology.codes import LOINC, Coding, normal_system
from cds_service.terminology.vocabulary import Vocabulary

PANEL = "panel_"
"""The prefix of the concepts for panels."""
_MOST = 20_000
"""Codes whose meaning is kept, some 100 bytes each."""


class Meaning:
    """What a code stands for: analytes (and by which method), panels, what states a condition.

    ``by_words`` is True where only words say so, beside an unlisted LOINC code or beside
    words that are not known, and no code on a list does. The unit must then agree with them.
    ``doubt`` says why the result still cannot be taken for one of these analytes, and ``kind``
    what kind of problem that is; ``doubt`` is empty where it can. ``other_specimen`` is True where
    the words name urine or another fluid; for a panel, this applies to its parts too.
    ``any_specimen`` is True where neither the code nor the words say what it was measured in; the
    category and the method may then say so.
    """

    __slots__ = (
        "about",
        "analytes",
        "any_specimen",
        "by_words",
        "doubt",
        "kind",
        "method",
        "observed",
        "other_specimen",
        "panels",
    )

    def __init__(
        self,
        analytes: tuple[Analyte, ...] = (),
        method: str = "",
        observed: ObservedCondition | None = None,
        panels: frozenset[str] = frozenset(),
        *,
        by_words: bool = False,
        doubt: str = "",
        kind: str = "unknown-name",
        other_specimen: bool = False,
        any_specimen: bool = False,
    ) -> None:
        self.kind = kind
        self.any_specimen = any_specimen
        self.other_specimen = other_specimen
        self.by_words = by_words
        self.doubt = doubt
        self.analytes = analytes
        self.panels = panels
        self.method = method
        self.observed = observed
        if analytes:
            self.about = analytes[0].key
        else:
            self.about = observed.key if observed is not None else min(panels, default="")

    def only(self, analytes: tuple[Analyte, ...]) -> Meaning:
        """The same meaning, limited to these analytes."""
        return Meaning(
            analytes,
            self.method,
            self.observed,
            self.panels,
            by_words=self.by_words,
            any_specimen=self.any_specimen,
        )


NOTHING = Meaning()
"""The meaning of a code that no rule reads."""

OTHER_SPECIMEN = Meaning(other_specimen=True)
"""The meaning of a code for urine or another fluid, which no rule reads."""

UNREAD = Meaning()
"""The meaning of anything that is not a code or cannot be read."""

UNLISTED = Meaning(
    by_words=True,
    doubt="it has only an unlisted code, or words in a script that is not read",
    kind="unknown-code",
)
"""The meaning of a code without words, from a code system that has no list."""

TOO_MUCH = Meaning()
"""The meaning of a code left unread because the call contains too much text."""


class Codebook:
    """Meanings by code. There is one for the life of the process; threads may share it."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        analytes: Mapping[str, Analyte],
        observing: Observing = NOTHING_MORE,
    ) -> None:
        self._vocabulary = vocabulary
        self._observing = observing
        self.analytes = analytes
        self._known: dict[bytes, Meaning] = {}
        self._in_units = frozenset(
            key
            for key, analyte in analytes.items()
            if any("U" in unit.name for unit in analyte.units.values())
        )
        self._units = frozenset(unit for analyte in analytes.values() for unit in analyte.units)

    def meaning(self, code: bytes) -> Meaning:
        """What an undecoded CodeableConcept stands for.

        `NOTHING` if no rule reads it, `UNREAD` if it cannot be read, `TOO_MUCH` if it was left
        unread.
        """
        return self.meanings()(code)

    def meanings(self) -> Callable[[bytes], Meaning]:
        """The function `meaning`, faster for many codes of one call."""
        known: dict[bytes, Meaning] = memory().setdefault(self, {})

        def meaning(code: bytes) -> Meaning:
            found = known.get(code)
            if found is None:
                found = known[code] = self._cached_meaning(code)
            return found

        return meaning

    def _cached_meaning(self, code: bytes) -> Meaning:
        """From call to call a code is known only by its digest: it may contain personal text."""
        name = digest(code)
        found = self._known.get(name)
        if found is None:
            try:
                found = self._read(code)
            except TooMuchTextError:
                return TOO_MUCH
            if len(self._known) >= _MOST:
                self._known = {}
            self._known[name] = found
        return found

    def fits_units(self, meaning: Meaning, units: Sequence[str]) -> bool:
        """Whether one of the spellings is a unit of an analyte that is meant or may be meant."""
        if meaning is UNLISTED:
            return self.knows(units)
        return any(unit in analyte.units for analyte in meaning.analytes for unit in units)

    def knows(self, units: Sequence[str]) -> bool:
        """Whether one of the spellings is a unit of any analyte."""
        return not self._units.isdisjoint(units)

    def analytes_in(self, words: Sequence[str]) -> set[str]:
        """The analytes named in free text; none once the call's text budget is used up."""
        try:
            concepts = self._vocabulary.concepts((), words) | self._vocabulary.mentions((), words)
        except TooMuchTextError:
            return set()
        return {key for key in concepts if key in self.analytes}

    def is_of_blood(self, code: bytes) -> bool:
        """Whether a code says that blood was measured: a listed LOINC code, or words."""
        value = readable(code)
        return self._is_of_blood(codings(value), all_words(value))

    def _is_of_blood(self, coded: Sequence[Coding], words: Sequence[str]) -> bool:
        loinc_codings = [coding for coding in coded if normal_system(coding.system) == LOINC]
        return self._vocabulary.lists(loinc_codings) or names_blood(words)

    def _read(self, code: bytes) -> Meaning:
        value = readable(code)
        coded, words = codings(value), texts(value)
        return self._meaning_of(coded, words) if coded or words else UNREAD

    def _meaning_of(self, coded: Sequence[Coding], words: Sequence[str]) -> Meaning:
        concepts = self._vocabulary.concepts(coded, words)
        analytes = tuple(self.analytes[key] for key in sorted(concepts) if key in self.analytes)
        observed = next(
            (condition for condition in self._observing.conditions if condition.key in concepts),
            None,
        )
        panels = frozenset(key for key in concepts if key.startswith(PANEL))
        names = [*words, *(coding.display for coding in coded if coding.display)]
        if not analytes and (instead := self._substitute(concepts)):
            return instead
        other_specimen = names_other_specimen(
            names, any(analyte.key in self._in_units for analyte in analytes)
        )
        if other_specimen and observed is None:  # a test for a condition may use urine
            return self._of_other_specimen(coded, analytes)
        if not analytes and observed is None and not panels:
            return self._contradictory(coded) or self._doubtful(coded, words)
        methods = self._observing.methods
        method = next((methods[concept] for concept in methods if concept in concepts), "")
        by_words = bool(analytes) and _has_loinc(coded) and not self._vocabulary.lists(coded)
        any_specimen = bool(analytes or panels) and not self._is_of_blood(coded, names)
        return Meaning(
            analytes, method, observed, panels, by_words=by_words, any_specimen=any_specimen
        )

    def _substitute(self, concepts: frozenset[str]) -> Meaning | None:
        """The meaning of what only answers the same question; None where there is none."""
        for concept, (key, doubt) in self._observing.instead.items():
            if concept in concepts and key in self.analytes:
                return Meaning(
                    (self.analytes[key],), by_words=True, doubt=doubt, kind="other-quantity"
                )
        return None

    def _of_other_specimen(self, coded: Sequence[Coding], analytes: tuple[Analyte, ...]) -> Meaning:
        """The meaning of a name for urine or another fluid; a doubt if its code says blood."""
        if not analytes or not self._vocabulary.lists(coded):
            return self._contradictory(coded) or OTHER_SPECIMEN
        doubt = "its name and its code name different specimens"
        return Meaning(analytes, by_words=True, doubt=doubt, other_specimen=True)

    def _contradictory(self, coded: Sequence[Coding]) -> Meaning | None:
        """The meaning of codings, one of which is listed for an analyte that another rules out."""
        if len(coded) < 2 or not self._vocabulary.lists(coded):
            return None
        meant = {
            concept
            for coding in coded
            for concept in self._vocabulary.concepts([Coding(coding.system, coding.code)], ())
        }
        analytes = tuple(self.analytes[key] for key in sorted(meant) if key in self.analytes)
        doubt = "its codes contradict each other: one is of another quantity"
        return Meaning(analytes, by_words=True, doubt=doubt) if analytes else None

    def _doubtful(self, coded: Sequence[Coding], words: Sequence[str]) -> Meaning:
        """The meaning of a code that no rule reads, or that may be such a code."""
        if not self._vocabulary.reads(coded, words) or self._vocabulary.bare(coded, words):
            return UNLISTED
        if self._vocabulary.lists(coded):
            return NOTHING
        mentioned = self._vocabulary.mentions(coded, words)
        analytes = tuple(self.analytes[key] for key in sorted(mentioned) if key in self.analytes)
        if not analytes:
            return NOTHING
        return Meaning(analytes, by_words=True, doubt="its name leaves open what was measured")


def _has_loinc(coded: Sequence[Coding]) -> bool:
    return any(normal_system(coding.system) == LOINC for coding in coded)
