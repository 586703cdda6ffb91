"""Conditions and reasons: what a problem list, an encounter or an order gives as the diagnosis.

Source: clinical content, section 3 ("Status") and 5; FHIR R4 Condition.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import partial

from cds_service.core.facts import Condition, Kind, Presence, Reason
from cds_service.fhir.read.concepts import NOTHING, CodeableConcept
from cds_service.fhir.read.library import Item, Library
from cds_service.fhir.values.elements import (
    all_words,
    choice,
    codings,
    items,
    part,
    text,
    texts,
)
from cds_service.fhir.values.moments import Moment, read_moment, zone_of
from cds_service.terminology.codes import Coding
from cds_service.terminology.vocabulary import Vocabulary

_ACTIVE = frozenset({"active", "recurrence", "relapse"})
_PAST = frozenset({"inactive", "remission", "resolved"})
_NO_STATEMENT = frozenset({"unknown"})  # R5
_SUSPECTED = frozenset({"provisional", "differential", "unconfirmed"})
_REFUTED = frozenset({"refuted", "entered-in-error"})
_VERIFIED = frozenset({"confirmed", "unknown"})
_VERIFICATIONS = _SUSPECTED | _REFUTED | _VERIFIED
_STATUSES = _ACTIVE | _PAST | _NO_STATEMENT
_SEVERE = "24484000"
_SEVERE_WORDS = frozenset(
    ("severe", "schwer", "schwere", "schwerer", "schwergradig", "sévère", "grave", "severo",
     "severa", "ernstig", "svær")
)  # fmt: skip
# Words in place of an end that say that the condition has not ended.
_NOT_OVER = re.compile(
    r"\b(ongoing|on-going|not (resolved|over|ended|abated)|unresolved|continu|persist|still|active|"
    r"current|present|unknown|none|never|no|n/a|andauernd|anhaltend|laufend|en cours)"
)
_NO_REASON = Reason()


def read_conditions(
    library: Library, vocabulary: Vocabulary, as_of: datetime
) -> tuple[Condition, ...]:
    """Every Condition of the patient, including past, suspected and refuted ones."""
    read = (
        library.attempt(item, partial(read_condition, item, library, vocabulary, as_of))
        for item in library.of("Condition")
    )
    return tuple(condition for condition in read if condition is not None)


def read_condition(
    item: Item, library: Library, vocabulary: Vocabulary, as_of: datetime
) -> Condition | None:
    """One Condition; None, with a problem, where it does not say what the condition is."""
    code = item.concept("code")
    presence, status = _presence(item, library, as_of)
    meaning = code.meaning(vocabulary)
    if not meaning.certain and presence not in (Presence.REFUTED, Presence.PAST):
        library.note_nameless(item, meaning.anything)
    if not meaning.anything:
        return None
    severity = item.concept("severity")
    stages, coded = _stages(item, code, severity)
    return Condition(
        concepts=vocabulary.concepts((*code.codings, *coded), (*code.texts, *stages))
        if stages or coded
        else meaning.concepts,
        designation=code,
        presence=presence,
        source=item.source,
        clinical_status=status,
        severe=severity is not NOTHING and _severe(severity),
        day=_day(item, as_of),
    )


def _stages(
    item: Item, code: CodeableConcept, severity: CodeableConcept
) -> tuple[tuple[str, ...], tuple[Coding, ...]]:
    """The name combined with each stage ("Chronic kidney disease stage 5"), and codes of stages.

    Some systems write the stage as the severity.
    """
    stages = items(item.value("stage"))
    if not (stages or severity is not NOTHING) or not (name := code.name):
        return (), ()
    qualifiers = [words for stage in stages for words in all_words(part(stage, "summary"))]
    qualifiers += [words for stage in stages for words in all_words(part(stage, "type"))]
    qualifiers += [
        words
        for words in severity.phrases
        if any(map(str.isdigit, words)) or "stage" in words.lower()
    ]
    coded = tuple(coding for stage in stages for coding in codings(part(stage, "summary")))
    return tuple(f"{name} {words}" for words in qualifiers), coded


def _presence(item: Item, library: Library, as_of: datetime) -> tuple[Presence, str]:
    verified = _known_status(item, library, "verificationStatus", _VERIFICATIONS)
    status = _known_status(item, library, "clinicalStatus", _STATUSES)
    if verified in _REFUTED:
        return Presence.REFUTED, status
    if status in _PAST:
        return Presence.PAST, status
    if status not in _ACTIVE and _abated(item, as_of):
        return Presence.PAST, ""
    if verified in _SUSPECTED:
        return Presence.SUSPECTED, status
    return (Presence.ACTIVE, status) if status in _ACTIVE else (Presence.ASSUMED, "")


def _known_status(item: Item, library: Library, name: str, known: frozenset[str]) -> str:
    """The first known status; empty where there is none, with a problem if one was stated."""
    stated = item.concept(name)
    for word in stated.status:
        if word in known:
            return word
    if stated.status or (stated.value is not None and stated.value not in ({}, [], "")):
        reason = f"its {name} is not known: taken as not stated"
        library.problem("unknown-status", item.kind.value, reason, item.source)
    return ""


def _abated(item: Item, as_of: datetime) -> bool:
    """Whether it is recorded as ended. An end in the future does not count yet."""
    zone = zone_of(as_of)
    for name in choice(item.names, "abatement"):
        value = item.value(name)
        if value is None or value is False:
            continue
        if isinstance(value, str) and _NOT_OVER.search(value.lower()):
            continue
        bound = value
        if isinstance(value, dict):
            bound = value.get("end") or value.get("start")
        end = read_moment(bound, zone)
        if end is None or not end.after(as_of):
            return True
    return False


def _severe(severity: CodeableConcept) -> bool:
    if any(coding.code == _SEVERE for coding in severity.codings):
        return True
    return any(word.lower().split("(")[0].strip() in _SEVERE_WORDS for word in severity.phrases)


def _day(item: Item, as_of: datetime) -> date | None:
    zone = zone_of(as_of)
    for name in ("onsetDateTime", "onsetPeriod", "recordedDate"):
        value = item.value(name)
        if value is None:
            continue
        stated = part(value, "start") if name == "onsetPeriod" else value
        moment: Moment | None = read_moment(stated, zone)
        if moment is not None:
            return moment.day
    return None


def read_reason(item: Item, library: Library, vocabulary: Vocabulary) -> Reason:
    """Why something was ordered or took place; ``given`` is True also if it cannot be read."""
    coded, referred = item.value("reasonCode"), item.value("reasonReference")
    if coded is None and referred is None:
        return _NO_REASON
    codes = [code for code in items(coded) if code not in (None, {}, "")]
    pointers = [pointer for pointer in items(referred) if pointer not in (None, {}, "")]
    if not codes and not pointers:
        return _NO_REASON
    has_reason = bool(codings(codes) or texts(codes) or pointers)
    concepts: set[str] = set()
    words: list[str] = []
    for code in codes:
        concepts |= vocabulary.concepts(codings(code), texts(code))
        words += all_words(code)
        has_reason = (
            has_reason or not isinstance(code, dict) or bool(set(code) - {"coding", "text"})
        )
    for pointer in pointers:
        target = library.resolve(pointer, item)
        code = part(target, "code")
        shown = text(part(pointer, "display"))
        labels = (*texts(code), shown) if shown else texts(code)
        concepts |= vocabulary.concepts(codings(code), labels)
        words += [*all_words(code), *([shown] if shown else [])]
    return Reason(has_reason, frozenset(concepts), "; ".join(dict.fromkeys(words)).lower())


def read_encounter(library: Library, vocabulary: Vocabulary, encounter_id: str | None) -> Reason:
    """The reason for the call's encounter. Another encounter is noted as a problem instead."""
    first = Reason()
    for item in library.of("Encounter"):
        if encounter_id is not None and item.id == encounter_id:
            read = library.attempt(item, partial(read_reason, item, library, vocabulary))
            reason = read or Reason(given=True)
            first = reason if not first.given else first
        elif item.kind is Kind.ENCOUNTER:
            reason_ = "it is not the encounter of this call"
            library.problem("wrong-encounter", item.kind.value, reason_, item.source)
    return first
