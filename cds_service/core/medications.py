"""Medications: what is taken or drafted, its dosage and its ingredients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from msgspec import Struct

from cds_service.core.facts import Designation, Reason, Source


class Dosage(Struct, frozen=True):
    """One dosage instruction, as numbers where it has them.

    ``amount`` is the dose (the high end of a range) in ``amount_unit``; ``per_day`` the number
    of doses a day; ``max_per_day`` an upper bound in ``max_unit`` from maxDosePerPeriod;
    ``sequence`` the step of a stepwise order (instructions of the same step apply together).
    """

    amount: Decimal | None = None
    amount_unit: str = ""
    per_day: Fraction | None = None
    as_needed: bool = False
    max_per_day: Fraction | None = None
    max_unit: str = ""
    text: str = ""
    route: str = ""
    unread: str = ""  # why it could not be turned into numbers
    sequence: int | None = None


class Ingredient(Struct, frozen=True):
    """One ingredient, with its strength per unit of the product where that is known."""

    name: str
    amount: Decimal | None = None
    unit: str = ""


class Taking(StrEnum):
    """Whether a medication is taken now."""

    ACTIVE = "active"
    DRAFT = "draft"
    STOPPED = "stopped"
    NOT_TAKEN = "not taken"  # on hold, not taken, or ordered not to be given
    IGNORED = "ignored"  # entered in error, unknown


class Medication(Struct, frozen=True):
    """One medication request, statement, or draft order, with its classes."""

    classes: frozenset[str]
    designation: Designation
    taking: Taking
    source: Source
    statement: bool = False
    named: bool = True
    when: datetime | None = None
    reason: Reason = Reason()
    dosages: Sequence[Dosage] = ()
    ingredients: Sequence[Ingredient] = ()
    selected: bool = False
    signed: bool = False

    def __hash__(self) -> int:
        return hash((self.source, self.classes))  # the name may not have been read yet

    @property
    def name(self) -> str:
        """What a person would call it."""
        return self.designation.name

    @property
    def words(self) -> str:
        """All its names in lower case."""
        return self.designation.words

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """Its codes, which show whether two entries are the same drug."""
        return self.designation.identity
