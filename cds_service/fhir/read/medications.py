"""Medication requests and statements: what is taken, why, and how much.

Source: clinical content, section 3 ("Status", "Codes") and 5 ("Active medication");
FHIR R4 MedicationRequest, MedicationStatement, Medication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cds_service.core.facts import Dosage, Ingredient, Medication, Taking
from cds_service.core.records import Deferred
from cds_service.fhir.read.conditions import read_reason
from cds_service.fhir.read.library import Item, Library
from cds_service.fhir.read.said import Said
from cds_service.fhir.values.elements import (
    all_words,
    codings,
    items,
    label,
    naming,
    number,
    part,
    text,
    texts,
)
from cds_service.fhir.values.moments import read_moment, zone_of
from cds_service.fhir.values.routes import routes_of
from cds_service.fhir.values.strengths import ingredients_of
from cds_service.terminology.codes import Coding, normal_key
from cds_service.terminology.vocabulary import Vocabulary

TYPES = ("MedicationRequest", "MedicationStatement")
_TAKING = {
    "active": Taking.ACTIVE,
    "intended": Taking.ACTIVE,
    "on-hold": Taking.NOT_TAKEN,
    "not-taken": Taking.NOT_TAKEN,
    "completed": Taking.STOPPED,
    "stopped": Taking.STOPPED,
    "cancelled": Taking.STOPPED,
    "ended": Taking.STOPPED,
    "draft": Taking.DRAFT,
    "entered-in-error": Taking.IGNORED,
}


@dataclass(frozen=True, slots=True)
class Words:
    """The vocabularies a medication is read with."""

    medications: Vocabulary
    reasons: Vocabulary


def read_medications(library: Library, words: Words, as_of: datetime) -> tuple[Medication, ...]:
    """Every medication request and statement, whatever its status."""
    found = (
        library.attempt(
            item,
            lambda item=item: read_medication(  # type: ignore[misc]
                item, library, words, as_of, taking=_taking(item, library, as_of)
            ),
        )
        for item in library.of(*TYPES)
    )
    return tuple(one for one in found if one is not None)


def read_medication(
    item: Item,
    library: Library,
    words: Words,
    as_of: datetime,
    *,
    taking: Taking,
    selected: bool = False,
    signed: bool = False,
    complete: bool = False,
) -> Medication:
    """One request, statement or draft; ``named`` is False where it does not say what.

    ``complete`` drafts are being signed: they must say what they are.
    """
    concept = item.said("medicationCodeableConcept")
    product = _product(item, library, concept)
    if not words.medications.reads(product.codings, product.texts):
        # While an order is being written it need not say yet what is ordered. A code that cannot
        # be read may be any drug.
        if product.pointed and not product.named and taking in (Taking.ACTIVE, Taking.DRAFT):
            reason = "its medication was not sent, or cannot be read"
            library.problem("unresolved-medication", item.kind.value, reason, item.source)
        elif taking is Taking.ACTIVE or (selected and (product.named or complete)):
            library.nameless(item, product.named)
    statement = _is_statement(item)
    dosages = Deferred(partial(item.dosages, "dosage" if statement else "dosageInstruction"))
    classes = (
        concept.concepts(words.medications)
        if concept.anything
        else words.medications.concepts(product.codings, product.texts)
    )
    return Medication(
        classes=_as_given(classes, product, dosages, words.medications) if classes else classes,
        name=product.name,
        taking=taking,
        source=item.source,
        statement=statement,
        named=product.named,
        identity=product.identity,
        when=_when(item, as_of),
        reason=read_reason(item, library, words.reasons),
        dosages=dosages,
        ingredients=product.ingredients,
        words=product.words,
        selected=selected,
        signed=signed,
    )


def _as_given(
    classes: frozenset[str], product: _Product, dosages: Sequence[Dosage], vocabulary: Vocabulary
) -> frozenset[str]:
    """The classes by name and route: as if the product's name said how it is given.

    Several routes make it several products.
    """
    routes = routes_of(dosages)
    if not routes:
        return classes
    # A code without words is called by what it stands for.
    name = product.words or " ".join(sorted(classes)).replace("_", " ")
    return frozenset[str]().union(
        *(
            vocabulary.concepts(product.codings, (*product.texts, f"{name} {route}"))
            for route in routes
        )
    )


def _is_statement(item: Item) -> bool:
    return item.value("resourceType") == "MedicationStatement"


def _taking(item: Item, library: Library, as_of: datetime) -> Taking:
    status = item.said("status")
    for word in status.status:
        taking = _TAKING.get(word)
        if taking is not None:
            break
    else:
        reason = "its status is not known" if status.status else "its status is missing"
        library.problem("no-status", item.kind.value, f"{reason}: not counted", item.source)
        return Taking.IGNORED
    if taking is not Taking.ACTIVE:
        return taking
    if item.value("doNotPerform") is True:
        return Taking.NOT_TAKEN
    if _is_statement(item):
        end = read_moment(part(item.value("effectivePeriod"), "end"), zone_of(as_of))
        if end is not None and end.when < as_of:
            return Taking.STOPPED
    return taking


def _when(item: Item, as_of: datetime) -> datetime | None:
    zone = zone_of(as_of)
    if _is_statement(item):
        stated: tuple[object, ...] = (
            item.value("dateAsserted"),
            item.value("effectiveDateTime"),
            part(item.value("effectivePeriod"), "end"),
            part(item.value("effectivePeriod"), "start"),
        )
    else:
        stated = (item.value("authoredOn"),)
    for value in stated:
        moment = read_moment(value, zone)
        if moment is not None and not moment.after(as_of):
            return moment.when
    return None


@dataclass
class _Product:
    """What a medication is, from wherever the record says it."""

    name: str = ""
    own_codings: tuple[Coding, ...] = ()
    codings: tuple[Coding, ...] = ()
    texts: tuple[str, ...] = ()
    ingredients: Sequence[Ingredient] = ()
    pointed: bool = False

    @property
    def named(self) -> bool:
        """Whether there is anything to tell the medication by."""
        return bool(self.codings or self.texts)

    @property
    def identity(self) -> frozenset[tuple[str, str]]:
        """Its codes, by which two entries are seen to be the same drug."""
        return frozenset(
            normal_key(coding.system, coding.code)
            for coding in self.own_codings
            if coding.system and coding.code
        )

    @property
    def words(self) -> str:
        """All it is called, in small letters."""
        named = tuple(coding.display for coding in self.codings if coding.display)
        return "; ".join(dict.fromkeys((*self.texts, *named))).lower()


def _of_concept(concept: Said) -> _Product:
    own, words = concept.codings, concept.texts
    strengths = Deferred(partial(_from_names, concept.words))
    return _Product(concept.name, own, own, words, strengths)


def _product(item: Item, library: Library, concept: Said) -> _Product:
    """The concept itself; else what the reference means; else the reference's display."""
    if concept.anything:
        return concept.derived(_of_concept)
    pointer = item.value("medicationReference")
    if pointer is None:
        return _Product()
    shown = naming(part(pointer, "display"))
    medication = library.resolve(pointer, item, "Medication")
    code = part(medication, "code")
    own = codings(code)
    more: list[Coding] = list(own)
    told: list[str] = [*texts(code)]
    found: list[Ingredient] = []
    for one in items(part(medication, "ingredient")):
        substance = part(one, "itemCodeableConcept")
        if substance is None and medication is not None:
            holder = Item(
                {**medication, "contained": _nearby(item, medication)},
                item.source,
                item.kind,
                page=item.page,
            )
            target = library.resolve(part(one, "itemReference"), holder, "Substance", "Medication")
            substance = part(target, "code") or {
                "text": text(part(one, "itemReference", "display"))
            }
        if part(one, "isActive") is False:
            continue
        more += codings(substance)
        told += texts(substance)
        found.append(_ingredient(substance, part(one, "strength")))
    if not told and not more and shown:
        told = [shown]
    if told or more:  # a form alone does not name a medication
        named = (*told, *(coding.display for coding in more if coding.display))
        told += [f"{named[0]} {form}" if named else form
                 for form in all_words(part(medication, "form"))]  # fmt: skip
    name = label(code) or shown or (found[0].name if found else "")
    product = _Product(name, own, tuple(more), tuple(told), tuple(found), pointed=True)
    if not found and product.named:
        product.ingredients = _from_names(all_words(code) or (shown,))
    return product


def _nearby(item: Item, medication: object) -> list[object]:
    return [*items(part(medication, "contained")), *items(item.value("contained"))]


def _from_names(names: tuple[str, ...]) -> tuple[Ingredient, ...]:
    """Strengths from the names given; the first name that has any."""
    for name in names:
        found = ingredients_of(name)
        if found:
            return found
    return ()


def _ingredient(substance: object, strength: object) -> Ingredient:
    """One ingredient of a Medication; its strength per one unit of the product."""
    name = label(substance)
    amount = number(part(strength, "numerator", "value"))
    unit = text(part(strength, "numerator", "unit")) or text(part(strength, "numerator", "code"))
    count = number(part(strength, "denominator", "value"))
    below = text(part(strength, "denominator", "unit")) or text(
        part(strength, "denominator", "code")
    )
    if amount is None or amount <= 0 or (count is not None and count <= 0):
        return Ingredient(name)
    if count is not None and count != 1:
        amount = amount / count
    unit = unit.lower()
    per = below.lower().strip("{}")
    return Ingredient(name, amount, f"{unit}/{per}" if per in ("ml", "l", "h", "hr") else unit)
