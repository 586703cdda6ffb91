"""The state of a kind of data, once it is known what its pages contained and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cds_service.core.facts import Availability, Kind, State
from cds_service.core.kinds import KIND_OF, KINDS, REPORTED_WITH
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.values.elements import status_words
from cds_service.fhir.values.versions import type_of

EXPECTED: Mapping[Kind, frozenset[str]] = {kind: row.read for kind, row in KINDS.items()}
"""The resource types (by their R4 names) of each kind of data."""

COMPANION_TYPES = frozenset().union(*EXPECTED.values()) | frozenset(
    ("Account", "Appointment", "AuditEvent", "CareTeam", "Claim", "Consent", "Coverage", "Device",
     "DeviceUseStatement", "DiagnosticReport", "Endpoint", "EpisodeOfCare", "ExplanationOfBenefit",
     "FamilyMemberHistory", "Goal", "Group", "HealthcareService", "ImagingStudy", "Immunization",
     "ImmunizationRecommendation", "Location", "Media", "Medication", "MedicationKnowledge",
     "Organization", "Person", "Practitioner", "PractitionerRole", "Procedure", "Provenance",
     "RelatedPerson", "RiskAssessment", "Specimen", "Substance", "SupplyDelivery")
)  # fmt: skip
"""Types that may arrive besides those asked for, without information of the same kind: they are
read separately, were included by the server, or are about other things."""


_ERROR = "the response was an error (OperationOutcome)"
_UNREADABLE = "what was sent cannot be read"
_CUT = "a Bundle inside it does not contain all its pages"
_OTHERS = Availability(State.UNAVAILABLE, "what was sent belongs to another patient")
_PARTLY_OTHERS = Availability(State.PARTIAL, "a part of what was sent belongs to another patient")
_NOT_THIS_PATIENT = Availability(
    State.UNAVAILABLE, "the resource sent is not this patient, or cannot be read"
)


@dataclass(slots=True)
class Tally:
    """What the pages of one delivery contained.

    ``entries`` counts resources and what should have been one, ``expected`` the resources of the
    types that were asked for, and ``unreadable`` what should have been a resource and is not;
    ``other_types`` are the types of the other resources. ``incomplete``: an OperationOutcome says
    so; ``cut``: a Bundle inside says that it does not contain everything.

    The last three are known once the entries have been read: whether some were ``refused`` because
    they are another patient's, whether some were ``accepted``, and whether the patient was
    ``not_found``.
    """

    pages: int = 0
    unread_pages: int = 0
    empty_pages: int = 0
    entries: int = 0
    expected: int = 0
    unreadable: int = 0
    other_types: set[str] = field(default_factory=set)
    incomplete: bool = False
    cut: bool = False
    warned: bool = False
    refused: bool = False
    accepted: bool = False
    not_found: bool = False

    @property
    def only_other_types(self) -> bool:
        """Whether only resources of other types than those asked for arrived."""
        return bool(self.entries and not self.expected and self.other_types - {"Specimen"})

    def not_read(self, kind: Kind) -> list[str]:
        """Types that arrived besides those asked for, may say the same and are not read."""
        if not self.other_types or self.only_other_types or KINDS[kind].single:
            return []
        return sorted({name for name in self.other_types if type_of(name) not in COMPANION_TYPES})


def kind_of(name: str, status: object) -> Kind | None:
    """The kind as which a resource is read, or reported where it is not read; None for neither.

    ``name`` is the R4 name of its type, ``status`` its status as plain JSON.
    """
    if name in REPORTED_WITH:
        return None if "entered-in-error" in status_words(status) else REPORTED_WITH[name]
    return KIND_OF.get(name)


def availability_of(delivery: Delivery, tally: Tally) -> Availability:
    """The state of a delivery in view of what its pages contained, and of whose it is."""
    state = _availability_on_arrival(delivery, tally)
    if tally.refused and state.obtained:
        state = _PARTLY_OTHERS if tally.accepted else _OTHERS
    if tally.not_found and state.state in (State.GIVEN, State.PARTIAL):
        return _NOT_THIS_PATIENT
    return state


def _availability_on_arrival(delivery: Delivery, tally: Tally) -> Availability:
    """The state of a delivery before it is known whose the entries are."""
    on_arrival = delivery.availability
    if not on_arrival.obtained or not delivery.pages:
        return on_arrival
    if tally.unread_pages == tally.pages:
        return Availability(State.UNAVAILABLE, _ERROR if tally.incomplete else _UNREADABLE)
    if tally.only_other_types:
        alike = KINDS[delivery.kind].not_read  # they say the most, so they are named first
        types = ", ".join(sorted(tally.other_types, key=lambda name: (name not in alike, name))[:3])
        return Availability(State.UNAVAILABLE, f"other resources were sent instead: {types}")
    if not tally.expected:
        # Where nothing arrived and something is missing, it is not known that there is none.
        if on_arrival.state is State.PARTIAL:
            return Availability(State.UNAVAILABLE, on_arrival.reason)
        if tally.incomplete or tally.unreadable:
            return Availability(State.UNAVAILABLE, _ERROR if tally.incomplete else _UNREADABLE)
        if tally.cut:
            return Availability(State.UNAVAILABLE, _CUT)
    if tally.incomplete:
        return Availability(State.PARTIAL, "the response says that it may be incomplete")
    if tally.cut:
        return Availability(State.PARTIAL, _CUT)
    if tally.unread_pages:
        return Availability(State.PARTIAL, "a page of the response cannot be read")
    if on_arrival.state is State.GIVEN:
        state = State.NONE if tally.empty_pages == tally.pages else State.GIVEN
        note = "the response had a warning (OperationOutcome)" if tally.warned else ""
        return Availability(state, on_arrival.reason or note)
    return on_arrival
