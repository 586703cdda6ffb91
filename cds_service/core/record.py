"""The record of one patient: all facts that were read, apart from results, and the drafts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property

import msgspec
from msgspec import Struct

from cds_service.core.facts import (
    Allergy,
    Availability,
    Condition,
    Kind,
    Order,
    PerformedPanel,
    Problem,
    Reason,
    Source,
)
from cds_service.core.medications import Medication


class Patient(Struct, frozen=True):
    """The patient of the facts, without anything that identifies one."""

    birth: date | None = None
    sex: str = ""  # "male", "female", or "" where unknown
    deceased: bool = False
    source: Source = Source("Patient")


class Drafts(Struct, frozen=True, dict=True):
    """What is being ordered now; empty where the hook has no drafts.

    ``selected`` are the drafts that are judged: those that were picked, or all where the hook
    has no selection. ``signed`` are orders that are no longer drafts and are signed again: they
    are judged like the others, but no card suggests removing them.
    """

    medications: tuple[Medication, ...] = ()
    orders: tuple[Order, ...] = ()

    @cached_property
    def signed(self) -> frozenset[str]:
        """The references of orders that were signed before and are signed again."""
        return frozenset(
            [medication.source.reference for medication in self.medications if medication.signed]
            + [order.source.reference for order in self.orders if order.signed]
        )

    @cached_property
    def selected_medications(self) -> tuple[Medication, ...]:
        """The medication drafts that are judged."""
        return tuple(draft for draft in self.medications if draft.selected)

    @cached_property
    def selected_orders(self) -> tuple[Order, ...]:
        """The test and procedure drafts that are judged."""
        return tuple(draft for draft in self.orders if draft.selected)


class Record(Struct, frozen=True):
    """Everything that was read from one patient's data, apart from the results (see Series)."""

    patient: Patient = Patient()
    conditions: tuple[Condition, ...] = ()
    medications: tuple[Medication, ...] = ()
    orders: tuple[Order, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    performed: tuple[PerformedPanel, ...] = ()
    drafts: Drafts = Drafts()
    encounter: Reason = Reason()
    availability: Mapping[Kind, Availability] = msgspec.field(default_factory=dict)
    problems: Sequence[Problem] = ()
