"""From FHIR data to facts: the only entry point for reading them.

Nothing in a record can make this raise, except that there is too much of it. Data that cannot
be used become a `Problem`; data that did not arrive show in the `Availability`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from cds_service.core.analytes import Analyte
from cds_service.core.call import Call
from cds_service.core.facts import Availability, Kind, Problem
from cds_service.core.observing import NOTHING_MORE, Observing
from cds_service.core.record import Drafts, Record
from cds_service.core.series import Series
from cds_service.core.times import years_between
from cds_service.engine.topic import Vocabularies
from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.read.codebook import Codebook
from cds_service.fhir.read.conditions import read_conditions, read_encounter
from cds_service.fhir.read.library import Library
from cds_service.fhir.read.medications import DrugVocabularies, read_medications
from cds_service.fhir.read.orders import read_drafts, read_orders, take_drafts
from cds_service.fhir.read.people import find_patient, read_allergies, read_patient
from cds_service.fhir.read.results import Results
from cds_service.fhir.read.subjects import Subjects
from cds_service.fhir.values.elements import UNREADABLE, decoded
from cds_service.terminology.call_texts import ensure_budget, one_call

_DRAFTS = 50_000
"""Characters of the draft orders that are read, however much text the rest of the call has."""


class Reading(Struct, frozen=True):
    """What was read of one call.

    ``series`` are the results by the key of their analyte. ``resources`` gives the raw JSON behind
    a fact's ``Type/id``, None where there is none; ``entries`` is the number of resources.
    """

    record: Record
    series: dict[str, Series]
    resources: Callable[[str], bytes | None]
    entries: int


class Reader:
    """Reads deliveries; made once at startup. ``analytes`` are by key."""

    def __init__(
        self,
        vocabularies: Vocabularies,
        analytes: Mapping[str, Analyte],
        observing: Observing = NOTHING_MORE,
    ) -> None:
        self._vocabularies = vocabularies
        self._book = Codebook(vocabularies.observations, analytes, observing)

    def read(self, deliveries: Mapping[Kind, Delivery], call: Call) -> Reading:
        """The facts of one call. Raises only TooLarge."""
        with one_call():
            return self._read(deliveries, call)

    def _read(self, deliveries: Mapping[Kind, Delivery], call: Call) -> Reading:
        known, as_of = self._vocabularies, call.as_of
        intake = Intake(deliveries)
        person, urls = find_patient(intake, call.patient_id)
        subjects = Subjects(call.patient_id, urls, call.fhir_server)
        library = Library(intake, subjects)
        draft_orders = take_drafts(_drafts(call.draft_orders), call.selections, intake)
        library.add(draft_orders.items)
        patient = read_patient(person, intake, as_of)
        age = None if patient.birth is None else years_between(patient.birth, as_of.date())
        results = Results(intake, self._book, subjects, as_of, age)
        words = DrugVocabularies(known.medications, known.conditions)
        conditions = read_conditions(library, known.conditions, as_of)
        conditions = (*conditions, *results.stated_conditions)
        medications = read_medications(library, words, as_of)
        orders = read_orders(library, known.orders, known.conditions, as_of)
        allergies = read_allergies(library, known.allergies)
        encounter = read_encounter(library, known.conditions, call.encounter_id)
        ensure_budget(_DRAFTS)
        drafts = (
            read_drafts(draft_orders, library, words, known.orders, as_of)
            if draft_orders.items or draft_orders.selections
            else Drafts()
        )
        record = Record(
            patient=patient,
            conditions=conditions,
            medications=medications,
            orders=orders,
            allergies=allergies,
            performed=tuple(results.performed),
            drafts=drafts,
            encounter=encounter,
            availability=_availability(intake, library, results, person is not None),
            problems=_without_repeats(intake.problems),
        )

        def resources(reference: str) -> bytes | None:
            return results.raw(reference) or library.raw(reference)

        return Reading(record, results.series, resources, intake.entries)


def _drafts(raw: bytes | None) -> object:
    if raw is None:
        return None
    try:
        return decoded(raw)
    except UNREADABLE:
        # A draft that cannot be read is reported, whatever is wrong with it.
        return raw.decode(errors="replace")


def _availability(
    intake: Intake, library: Library, results: Results, patient_found: bool
) -> dict[Kind, Availability]:
    """The state of each kind of data once other patients' data have been refused."""
    for kind in {**library.refused, **results.refused}:
        tally = intake.tallies[kind]
        tally.refused = True
        tally.accepted = bool(library.accepted.get(kind) or results.accepted.get(kind))
    if Kind.PATIENT in intake.tallies:
        intake.tallies[Kind.PATIENT].not_found = not patient_found
    return intake.availability()


def _without_repeats(problems: list[Problem]) -> tuple[Problem, ...]:
    """Each problem once: a resource may be read more than once."""
    return tuple(dict.fromkeys(problems))
