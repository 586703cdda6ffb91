"""The patient, as far as the rules need, and allergies and intolerances."""

from __future__ import annotations

from datetime import date, datetime
from functools import partial

from cds_service.core.facts import Allergy, Kind
from cds_service.core.record import Patient
from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.read.library import Item, Library
from cds_service.fhir.values.elements import (
    codings,
    identifier_of,
    items,
    label,
    part,
    readable,
    status_words,
    text,
    texts,
)
from cds_service.fhir.values.moments import read_moment, zone_of
from cds_service.fhir.values.versions import Resource
from cds_service.terminology.vocabulary import Vocabulary

_REFUTED = frozenset({"refuted", "entered-in-error"})
_ENDED = frozenset({"inactive", "resolved"})


def find_patient(intake: Intake, patient_id: str) -> tuple[Item | None, list[str]]:
    """The call's Patient resource and the urns by which Bundles refer to it.

    Another patient's resource is refused with a problem. A resource without an id is taken for
    the patient asked for if it is the only one.
    """
    matching: list[Item] = []
    nameless: list[Item] = []
    urns: set[str] = set()
    other_urns: set[str] = set()
    for entry in intake.all_of("Patient"):
        data = readable(entry.raw)
        if not isinstance(data, dict):
            intake.problem("unreadable", entry.kind.value, "it cannot be read", entry.source)
            continue
        item = Item(data, entry.source, entry.kind, entry.full_url, entry.page, entry.raw)
        if data.get("id") is None:
            nameless.append(item)
        elif identifier_of(data) == patient_id:
            matching.append(item)
            urns.add(entry.full_url)
        else:
            other_urns.add(entry.full_url)
            intake.problem("wrong-patient", entry.kind.value, "it is another patient", entry.source)
    if not matching and len(nameless) == 1 and nameless[0].kind is Kind.PATIENT:
        matching = nameless
    # Other addresses contain the patient's id; a urn shared by two patients identifies neither.
    own_urns = sorted(urn for urn in urns - other_urns if urn.startswith("urn:"))
    return (matching[0] if matching else None), own_urns


def read_patient(item: Item | None, intake: Intake, as_of: datetime) -> Patient:
    """The birth date (only a complete one), the sex, and whether the patient has died."""
    if item is None:
        return Patient()
    data = item.data
    sex = text(data.get("gender")).lower()
    return Patient(
        birth=_birth(data, item, intake, as_of),
        sex=sex if sex in ("male", "female") else "",
        deceased=_deceased(data, item, intake),
        source=item.source,
    )


def _birth(data: Resource, item: Item, intake: Intake, as_of: datetime) -> date | None:
    stated = data.get("birthDate")
    if stated is None:
        return None
    moment = read_moment(stated, zone_of(as_of))
    if moment is not None and moment.day_only and moment.day <= as_of.date():
        return moment.day
    reason = "the birth date has no day, or cannot be read: the age is taken as unknown"
    intake.problem("no-birth-date", Kind.PATIENT.value, reason, item.source)
    return None


def _deceased(data: Resource, item: Item, intake: Intake) -> bool:
    flag, when = data.get("deceasedBoolean"), data.get("deceasedDateTime")
    if flag is True or text(when):
        return True
    if flag not in (None, False) or when is not None:
        reason = "whether the patient has died cannot be read"
        intake.problem("unreadable", Kind.PATIENT.value, reason, item.source)
    return False


def read_allergies(library: Library, vocabulary: Vocabulary) -> tuple[Allergy, ...]:
    """Allergies and intolerances that are neither refuted nor over."""
    allergies = []
    for item in library.of("AllergyIntolerance"):
        data = item.data
        if _REFUTED & set(status_words(data.get("verificationStatus"))):
            continue
        if _ENDED & set(status_words(data.get("clinicalStatus"))):
            continue
        substances = [part(reaction, "substance") for reaction in items(data.get("reaction"))]
        stated = [concept for concept in (data.get("code"), *substances) if concept is not None]
        if not codings(stated) and not texts(stated):
            library.problem(
                "no-code", item.kind.value, "it does not name the substance", item.source
            )
            continue
        if not any(vocabulary.reads(codings(concept), texts(concept)) for concept in stated):
            library.note_nameless(item, coded=True)
        concepts = library.attempt(item, partial(_concepts, vocabulary, stated))
        if concepts is not None:
            name = label(data.get("code")) or label(stated)
            allergies.append(Allergy(concepts, name, item.source))
    return tuple(allergies)


def _concepts(vocabulary: Vocabulary, stated: list[object]) -> frozenset[str]:
    return frozenset[str]().union(
        *(vocabulary.concepts(codings(concept), texts(concept)) for concept in stated)
    )
