"""CodeableConcepts, and what they say.

Within a call each one is read once, however often it occurs. Only statuses are kept from one call
to the next.
"""

from __future__ import annotations

from msgspec import Struct

from cds_service.core.medications import Dosage
from cds_service.fhir.values.dosage import read_dosages
from cds_service.fhir.values.elements import (
    codings,
    decoded,
    items,
    name_of,
    phrases_of,
    status_words,
    texts,
)
from cds_service.fhir.values.versions import dosage_to_r4
from cds_service.terminology.call_texts import memory
from cds_service.terminology.codes import Coding, normal_key
from cds_service.terminology.vocabulary import Vocabulary, Wording

_LONGEST = 400
_MOST = 500
_STATUS_PLACE = b"http://terminology.hl7.org/CodeSystem/"
_STATUS_SYSTEMS = frozenset(
    f"{_STATUS_PLACE.decode()}{name}"
    for name in (
        "condition-clinical",
        "condition-ver-status",
        "allergyintolerance-clinical",
        "allergyintolerance-verification",
        "condition-category",
        "observation-category",
    )
)
_STATUS_WORDS = frozenset(
    (
        "active", "recurrence", "relapse", "inactive", "remission", "resolved", "unconfirmed",
        "provisional", "differential", "confirmed", "refuted", "entered-in-error",
        "problem-list-item", "problem list item", "encounter-diagnosis", "encounter diagnosis",
        "laboratory", "vital-signs", "vital signs",
    )
)  # fmt: skip
_KNOWN_STATUSES: dict[bytes, CodeableConcept] = {}
"""Statuses from HL7's lists, which nearly every entry has: all that is kept after a call."""


class CodeableConcept(Struct, eq=False):
    """A CodeableConcept (or several, or whatever was sent in its place) and what it says.

    ``raw`` is the undecoded element, which is decoded only when more than its concepts is needed.
    """

    _value: object = None
    raw: bytes = b""
    _codings: tuple[Coding, ...] | None = None
    _texts: tuple[str, ...] | None = None
    _name: str | None = None
    _words: str | None = None
    _status: tuple[str, ...] | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, even if they are written differently."""
        return (
            isinstance(other, CodeableConcept)
            and self.words == other.words
            and (self.name, self.identity) == (other.name, other.identity)
        )

    def __hash__(self) -> int:
        return hash(self.words)

    def __repr__(self) -> str:
        return f"CodeableConcept({self.value!r})"

    @property
    def value(self) -> object:
        """The element itself."""
        if self._value is None and self.raw:
            self._value = decoded(self.raw)
        return self._value

    @property
    def codings(self) -> tuple[Coding, ...]:
        """Its codings that say anything."""
        if self._codings is None:
            self._codings = codings(self.value)
        return self._codings

    @property
    def texts(self) -> tuple[str, ...]:
        """Its texts, without the displays of its codings."""
        if self._texts is None:
            self._texts = texts(self.value)
        return self._texts

    @property
    def phrases(self) -> tuple[str, ...]:
        """Its texts and displays, each once."""
        return phrases_of(self.codings, self.texts)

    @property
    def name(self) -> str:
        """What a person would call it; empty where it names nothing."""
        if self._name is None:
            stated = self.texts
            self._name = stated[0] if stated else name_of(self.codings, ())
        return self._name

    @property
    def words(self) -> str:
        """All `phrases` in lower case."""
        if self._words is None:
            self._words = "; ".join(self.phrases).lower()
        return self._words

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """Its codes, by which two entries are recognised as the same."""
        return frozenset(
            normal_key(coding.system, coding.code)
            for coding in self.codings
            if coding.system and coding.code
        )

    @property
    def status(self) -> tuple[str, ...]:
        """The words of a status, in lower case."""
        if self._status is None:
            self._status = status_words(self.value)
        return self._status

    def meaning(self, vocabulary: Vocabulary) -> Wording:
        """What it stands for. Raises TooMuchTextError once the call's text budget is used up."""
        return vocabulary.cached_wording(
            self.raw, lambda: vocabulary.wording(self.codings, self.texts)
        )


NOTHING = CodeableConcept()


def concept_of(raw: bytes) -> CodeableConcept:
    """What an undecoded CodeableConcept says. Raises one of `UNREADABLE`."""
    found = _KNOWN_STATUSES.get(raw)
    if found is None:
        call = memory()
        found = call.get(raw)
        if found is None:
            found = call[raw] = CodeableConcept(raw=raw)
            may_be = len(raw) <= _LONGEST and len(_KNOWN_STATUSES) < _MOST and _STATUS_PLACE in raw
            if may_be and _is_a_status(found.value):
                _KNOWN_STATUSES[raw] = found
    return found


def dosages(raw: bytes) -> tuple[Dosage, ...]:
    """What an undecoded list of dosage instructions says. Raises one of `UNREADABLE`."""
    call, key = memory(), (dosages, raw)
    found: tuple[Dosage, ...] | None = call.get(key)
    if found is None:
        found = read_dosages([dosage_to_r4(dosage) for dosage in items(decoded(raw))])
        call[key] = found
    return found


def _is_a_status(value: object) -> bool:
    """Whether it is one of HL7's statuses, word for word, and nothing else."""
    if not isinstance(value, dict) or not value.keys() <= {"coding", "text"}:
        return False
    stated = value.get("coding")
    if not isinstance(stated, list) or not _is_plain(value.get("text")):
        return False
    return all(
        isinstance(coding, dict)
        and coding.keys() <= {"system", "code", "display"}
        and str(coding.get("system")) in _STATUS_SYSTEMS
        and _is_plain(coding.get("code"))
        and _is_plain(coding.get("display"))
        for coding in stated
    )


def _is_plain(word: object) -> bool:
    return word is None or (isinstance(word, str) and word.lower() in _STATUS_WORDS)
