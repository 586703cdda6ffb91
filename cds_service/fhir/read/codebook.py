"""What the code of an Observation means here, looked up once for each code met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cds_service.core.analytes import Analyte
from cds_service.fhir.values.elements import codings, readable, texts
from cds_service.terminology.codes import LOINC, Coding, normal_system
from cds_service.terminology.vocabulary import Vocabulary

PREGNANCY = "pregnancy_status"
PANEL = "panel_"
"""How the concepts of panels begin."""
# A flood of free texts must not fill the memory.
_MOST = 20_000
_LONGEST = 2000
# Concepts of the code lists that say by which equation an eGFR was computed.
_METHODS = {
    "egfr_race_free_2021": "race_free_2021",
    "egfr_race_coefficient": "race_coefficient",
}


class Meaning:
    """What a code stands for: analytes (and by which method), panels, a statement of pregnancy.

    ``by_words`` is True where its words say so beside a LOINC code that is on no list: then
    the unit must bear them out.
    """

    __slots__ = ("about", "analytes", "by_words", "method", "panels", "pregnancy")

    def __init__(
        self,
        analytes: tuple[Analyte, ...] = (),
        method: str = "",
        pregnancy: bool = False,
        panels: frozenset[str] = frozenset(),
        *,
        by_words: bool = False,
    ) -> None:
        self.by_words = by_words
        self.analytes = analytes
        self.panels = panels
        self.method = method
        self.pregnancy = pregnancy
        self.about = (
            analytes[0].key if analytes else PREGNANCY if pregnancy else min(panels, default="")
        )

    def only(self, analytes: tuple[Analyte, ...]) -> Meaning:
        """The same with these analytes alone."""
        return Meaning(analytes, self.method, self.pregnancy, self.panels, by_words=self.by_words)


NOTHING = Meaning()
"""The meaning of a code that no rule reads."""


UNREAD = Meaning()
"""The meaning of what is no code, or cannot be read."""


class Codebook:
    """Meanings by code. One for the life of the program; safe to share between threads."""

    def __init__(self, vocabulary: Vocabulary, analytes: Mapping[str, Analyte]) -> None:
        self._vocabulary = vocabulary
        self.analytes = analytes
        self._known: dict[bytes, Meaning] = {}

    def meaning(self, code: bytes) -> Meaning:
        """What an undecoded CodeableConcept stands for.

        `NOTHING` for what no rule reads, `UNREAD` for what nobody can.
        """
        found = self._known.get(code)
        if found is None:
            found = self._read(code)
            if len(code) <= _LONGEST:
                if len(self._known) >= _MOST:
                    self._known = {}
                self._known[code] = found
        return found

    def _read(self, code: bytes) -> Meaning:
        value = readable(code)
        coded, words = codings(value), texts(value)
        return self._looked_up(coded, words) if coded or words else UNREAD

    def _looked_up(self, coded: Sequence[Coding], words: Sequence[str]) -> Meaning:
        concepts = self._vocabulary.concepts(coded, words)
        analytes = tuple(self.analytes[key] for key in sorted(concepts) if key in self.analytes)
        pregnancy = PREGNANCY in concepts
        panels = frozenset(key for key in concepts if key.startswith(PANEL))
        if not analytes and not pregnancy and not panels:
            return NOTHING
        method = "other" if "egfr" in concepts else ""
        for concept, name in _METHODS.items():
            if concept in concepts:
                method = name
                break
        by_words = bool(analytes) and _has_loinc(coded) and not self._vocabulary.lists(coded)
        return Meaning(analytes, method, pregnancy, panels, by_words=by_words)


def _has_loinc(coded: Sequence[Coding]) -> bool:
    return any(normal_system(one.system) == LOINC for one in coded)
