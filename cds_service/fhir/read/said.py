"""What CodeableConcepts say, read once for each wording that is met.

Within a call each wording is read once. From one call to the next only statuses are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from cds_service.core.facts import Dosage
from cds_service.fhir.values.dosage import read_dosages
from cds_service.fhir.values.elements import (
    codings,
    decoded,
    items,
    name_of,
    said_by,
    status_words,
    texts,
)
from cds_service.fhir.values.versions import dosage_to_r4
from cds_service.terminology.call_texts import digest, memory
from cds_service.terminology.codes import Coding
from cds_service.terminology.vocabulary import Vocabulary

T = TypeVar("T")
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
_KEPT: dict[bytes, Said] = {}
"""Statuses of HL7's lists, which come with every entry: the only wordings that outlive a call."""


class Said:
    """A CodeableConcept (or several, or whatever was sent in its place) and what it says."""

    __slots__ = ("_derived", "_name", "_status", "codings", "texts", "value", "words")

    def __init__(self, value: object = None, name: bytes = b"") -> None:
        """``name`` is the digest of the wording, where it is undecoded."""
        self.value = value
        self.codings: tuple[Coding, ...] = codings(value)
        self.texts: tuple[str, ...] = texts(value)
        self.words: tuple[str, ...] = said_by(self.codings, self.texts)  # each once
        self._name = name
        self._status: tuple[str, ...] | None = None
        self._derived: dict[object, object] = {}

    @property
    def anything(self) -> bool:
        """Whether it names anything at all."""
        return bool(self.codings or self.texts)

    @property
    def name(self) -> str:
        """What a person would call it; empty where it names nothing."""
        return name_of(self.codings, self.texts)

    @property
    def lower(self) -> str:
        """All `words` in small letters."""
        return "; ".join(self.words).lower()

    @property
    def status(self) -> tuple[str, ...]:
        """The words of a status, in small letters."""
        if self._status is None:
            self._status = status_words(self.value)
        return self._status

    def concepts(self, vocabulary: Vocabulary) -> frozenset[str]:
        """The concepts it stands for."""
        return vocabulary.concepts(self.codings, self.texts, self._name)

    def read_by(self, vocabulary: Vocabulary) -> bool:
        """Whether it names something in words, or by a code of a system with a list."""
        return vocabulary.reads(self.codings, self.texts)

    def derived(self, make: Callable[[Said], T]) -> T:
        """What ``make`` makes of it, made once."""
        if make not in self._derived:
            self._derived[make] = make(self)
        return cast("T", self._derived[make])


NOTHING = Said()


def said(raw: bytes) -> Said:
    """What an undecoded CodeableConcept says. Raises one of `UNREADABLE`."""
    found = _KEPT.get(raw)
    if found is None:
        call = memory()
        found = call.get(raw)
        if found is None:
            found = call[raw] = Said(decoded(raw), digest(raw))
            may_be = len(raw) <= _LONGEST and len(_KEPT) < _MOST and _STATUS_PLACE in raw
            if may_be and _is_a_status(found.value):
                _KEPT[raw] = found
    return found


def dosages(raw: bytes) -> tuple[Dosage, ...]:
    """What an undecoded list of dosage instructions says. Raises one of `UNREADABLE`."""
    call, key = memory(), (dosages, raw)
    found: tuple[Dosage, ...] | None = call.get(key)
    if found is None:
        found = read_dosages([dosage_to_r4(one) for one in items(decoded(raw))])
        call[key] = found
    return found


def _is_a_status(value: object) -> bool:
    """Whether it is a status of HL7's and nothing else, word for word."""
    if not isinstance(value, dict) or not value.keys() <= {"coding", "text"}:
        return False
    stated = value.get("coding")
    if not isinstance(stated, list) or not _is_plain(value.get("text")):
        return False
    return all(
        isinstance(one, dict)
        and one.keys() <= {"system", "code", "display"}
        and str(one.get("system")) in _STATUS_SYSTEMS
        and _is_plain(one.get("code"))
        and _is_plain(one.get("display"))
        for one in stated
    )


def _is_plain(word: object) -> bool:
    return word is None or (isinstance(word, str) and word.lower() in _STATUS_WORDS)
