"""What is known about each kind of data: one row per kind, from which every other place derives.

A type is a FHIR resource type by its R4 name; `fhir.values.versions` has its other names.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cds_service.core.facts import Kind


class KindSpec(Struct, frozen=True, kw_only=True):
    """One kind of data: how it is asked for, which resource types belong to it, what it is called.

    ``key`` is the name of its prefetch key and ``types`` are its own resource types, of which the
    template asks for the first. ``also_read`` are types of another kind that are read where they
    arrive with this one. ``not_read`` are types that have information of the same kind and are
    only reported. ``refers_to`` is a type to which its resources refer, and which says nothing
    without them.

    ``fetched_with`` is a kind that is asked for whenever this one is. ``single``: there is at most
    one resource, which is read by its id instead of searched for. ``active_only``: the template
    asks for active resources. ``by_code``: the template asks for some codes, so that what is
    withheld from a list was not necessarily asked for. ``pointed_at``: Lists, plans and documents
    may refer to it. ``lists`` is the vocabulary that reads its entries, and the folder of the code
    lists; empty where there is none. ``words`` name the kind in the reason for an outcome.
    """

    kind: Kind
    key: str
    types: tuple[str, ...]
    also_read: tuple[str, ...] = ()
    not_read: frozenset[str] = frozenset()
    refers_to: str = ""
    fetched_with: Kind | None = None
    single: bool = False
    active_only: bool = False
    by_code: bool = False
    pointed_at: bool = False
    lists: str = ""
    words: str

    @property
    def searched(self) -> str:
        """The resource type that the prefetch template asks for."""
        return self.types[0]

    @property
    def read(self) -> frozenset[str]:
        """The resource types that are read where they arrive as this kind."""
        return frozenset((*self.types, *self.also_read))


# Dispensed or administered is not the same as prescribed or taken.
_DISPENSED = frozenset({"MedicationDispense", "MedicationAdministration"})

_ROWS = (
    KindSpec(kind=Kind.PATIENT, key="patient", types=("Patient",), single=True, words="patient"),
    KindSpec(
        kind=Kind.RESULTS,
        key="results",
        types=("Observation",),
        refers_to="Specimen",
        by_code=True,
        lists="observations",
        words="laboratory results",
    ),
    KindSpec(
        kind=Kind.CONDITIONS,
        key="conditions",
        types=("Condition",),
        # The reason for an encounter names a complaint just as a condition does.
        fetched_with=Kind.ENCOUNTER,
        pointed_at=True,
        lists="conditions",
        words="conditions",
    ),
    KindSpec(
        kind=Kind.MEDICATIONS,
        key="medicationRequests",
        types=("MedicationRequest",),
        # Sites put both into one list.
        also_read=("MedicationStatement",),
        not_read=_DISPENSED,
        refers_to="Medication",
        # Statements say what is taken just as requests do.
        fetched_with=Kind.STATEMENTS,
        active_only=True,
        pointed_at=True,
        lists="medications",
        words="medications",
    ),
    KindSpec(
        kind=Kind.STATEMENTS,
        key="medicationStatements",
        types=("MedicationStatement",),
        also_read=("MedicationRequest",),
        not_read=_DISPENSED,
        refers_to="Medication",
        # Not active_only: that a drug was stopped ends an older request. Not pointed_at: a List
        # that refers to a statement is reported as a list of medications.
        lists="medications",
        words="medication statements",
    ),
    KindSpec(
        kind=Kind.ALLERGIES,
        key="allergies",
        types=("AllergyIntolerance",),
        pointed_at=True,
        lists="allergies",
        words="allergies",
    ),
    KindSpec(
        kind=Kind.ORDERS,
        key="orders",
        types=(
            "ServiceRequest",
            "DeviceRequest",
            "NutritionOrder",
            "VisionPrescription",
            "CommunicationRequest",
            "SupplyRequest",
        ),
        active_only=True,
        lists="orders",
        words="orders",
    ),
    KindSpec(
        kind=Kind.ENCOUNTER, key="encounter", types=("Encounter",), single=True, words="encounter"
    ),
)

KINDS: Mapping[Kind, KindSpec] = {row.kind: row for row in _ROWS}
"""The row of each kind, in the order of `Kind`."""

KIND_OF: Mapping[str, Kind] = {name: row.kind for row in _ROWS for name in row.types}
"""The kind to which a resource type belongs."""

ORDERED = (*KINDS[Kind.MEDICATIONS].types, *KINDS[Kind.ORDERS].types)
"""The types that are read where they are draft orders."""

REPORTED_WITH: Mapping[str, Kind] = {
    name: row.kind for row in reversed(_ROWS) for name in row.not_read
}
"""The kind with which a resource type is reported that is not read: the first that names it."""

ACTIVE_ONLY = tuple(row.kind for row in _ROWS if row.active_only)
"""Kinds whose templates ask for active resources only."""
