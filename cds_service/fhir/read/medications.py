"""Medication requests and statements: what is taken, why, and how much.

Source: clinical content, section 3 ("Status", "Codes") and 5 ("Active medication");
FHIR R4 MedicationRequest, MedicationStatement, Medication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from msgspec import Struct

from cds_service.core.deferred import Deferred
from cds_service.core.facts import Designation, Kind, KnownDesignation
from cds_service.core.kinds import KINDS
from cds_service.core.medications import Dosage, Ingredient, Medication, Taking
from cds_service.fhir.read.conditions import read_reason
from cds_service.fhir.read.library import Item, Library
from cds_service.fhir.values.elements import (
    all_words,
    codings,
    is_true,
    items,
    label,
    naming,
    number,
    part,
    phrases_of,
    text,
    texts,
)
from cds_service.fhir.values.moments import read_moment, zone_of
from cds_service.fhir.values.routes import routes_of
from cds_service.fhir.values.strengths import ingredients_of
from cds_service.terminology.codes import Coding, normal_key
from cds_service.terminology.vocabulary import Vocabulary, Wording

_LIST = KINDS[Kind.MEDICATIONS]
TYPES = (*_LIST.types, *_LIST.also_read)
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
class DrugVocabularies:
    """The vocabularies a medication is read with."""

    medications: Vocabulary
    reasons: Vocabulary


def read_medications(
    library: Library, words: DrugVocabularies, as_of: datetime
) -> tuple[Medication, ...]:
    """Every medication request and statement, with any status."""
    found = (
        library.attempt(
            item,
            lambda item=item: read_medication(  # type: ignore[misc]  # mypy does not infer the default of a lambda
                item, library, words, as_of, taking=_taking(item, library, as_of)
            ),
        )
        for item in library.of(*TYPES)
    )
    return tuple(medication for medication in found if medication is not None)


def read_medication(
    item: Item,
    library: Library,
    words: DrugVocabularies,
    as_of: datetime,
    *,
    taking: Taking,
    selected: bool = False,
    signed: bool = False,
    complete: bool = False,
) -> Medication:
    """One request, statement or draft; ``named`` is False where it does not say which medication.

    ``complete`` drafts are being signed, so they must say which medication they are.
    """
    statement = _is_statement(item)
    instructed = "dosage" if statement else "dosageInstruction"
    dosages = Deferred(partial(item.dosages, instructed))
    product = _product(item, library, words.medications, instructed, dosages)
    if not (product.certain if taking is Taking.ACTIVE else product.read):
        # An order that is still being written need not say what is ordered yet. A code that
        # cannot be read may be any drug.
        if product.referenced and not product.named and taking in (Taking.ACTIVE, Taking.DRAFT):
            reason = "its medication was not sent, or cannot be read"
            library.problem("unresolved-medication", item.kind.value, reason, item.source)
        elif taking is Taking.ACTIVE or (selected and (product.named or complete)):
            library.note_nameless(item, product.named)
    return Medication(
        classes=product.classes,
        designation=product.designation,
        taking=taking,
        source=item.source,
        statement=statement,
        named=product.named,
        when=_when(item, as_of, statement),
        reason=read_reason(item, library, words.reasons),
        dosages=dosages,
        ingredients=product.ingredients,
        selected=selected,
        signed=signed,
    )


def _with_route(
    vocabulary: Vocabulary,
    codes: Sequence[Coding],
    words: Sequence[str],
    dosages: Sequence[Dosage],
) -> Wording:
    """What codes and words mean when the route from the dosage is added to the name.

    With several routes, the classes of all of them.
    """
    meaning = vocabulary.wording(codes, words)
    routes = routes_of(dosages) if meaning.concepts else ()
    if not routes:
        return meaning
    # A code without words is named after the concepts it stands for.
    name = _words(codes, words) or " ".join(sorted(meaning.concepts)).replace("_", " ")
    classes = frozenset[str]().union(
        *(vocabulary.concepts(codes, (*words, f"{name} {route}")) for route in routes)
    )
    return meaning._replace(concepts=classes)


def _words(codes: Sequence[Coding], words: Sequence[str]) -> str:
    return "; ".join(phrases_of(tuple(codes), tuple(words))).lower()


def _is_statement(item: Item) -> bool:
    return item.value("resourceType") == "MedicationStatement"


def _taking(item: Item, library: Library, as_of: datetime) -> Taking:
    status = item.concept("status")
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
    if is_true(item.value("doNotPerform")):
        return Taking.NOT_TAKEN
    if _is_statement(item):
        end = read_moment(part(item.value("effectivePeriod"), "end"), zone_of(as_of))
        if end is not None and end.when < as_of:
            return Taking.STOPPED
    return taking


def _when(item: Item, as_of: datetime, statement: bool) -> datetime | None:
    zone = zone_of(as_of)
    if statement:
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


class _Product(Struct, frozen=True):
    """What a medication is, wherever the record says so.

    ``read`` and ``certain`` are those of its `Wording`; ``referenced`` is True where it is
    described in a resource of its own.
    """

    classes: frozenset[str] = frozenset()
    designation: Designation = KnownDesignation()
    named: bool = False
    read: bool = False
    certain: bool = False
    ingredients: Sequence[Ingredient] = ()
    referenced: bool = False


def _product(
    item: Item,
    library: Library,
    vocabulary: Vocabulary,
    instructed: str,
    dosages: Sequence[Dosage],
) -> _Product:
    """From the concept itself; else the resource referred to; else the reference's display."""
    concept = item.concept("medicationCodeableConcept")
    meaning = vocabulary.cached_wording(
        item.undecoded("medicationCodeableConcept", instructed),
        lambda: _with_route(vocabulary, concept.codings, concept.texts, dosages),
    )
    if meaning.anything:
        strengths = Deferred(lambda: _from_names(concept.phrases))
        return _Product(meaning.concepts, concept, True, meaning.read, meaning.certain, strengths)
    pointer = item.value("medicationReference")
    if pointer is None:
        return _Product()
    shown = naming(part(pointer, "display"))
    medication = library.resolve(pointer, item, "Medication")
    code = part(medication, "code")
    own = codings(code)
    coded: list[Coding] = list(own)
    words: list[str] = [*texts(code)]
    stated: list[Ingredient] = []
    for ingredient in items(part(medication, "ingredient")):
        substance = part(ingredient, "itemCodeableConcept")
        if substance is None and medication is not None:
            holder = Item(
                {**medication, "contained": _nearby(item, medication)},
                item.source,
                item.kind,
                page=item.page,
            )
            target = library.resolve(
                part(ingredient, "itemReference"), holder, "Substance", "Medication"
            )
            substance = part(target, "code") or {
                "text": text(part(ingredient, "itemReference", "display"))
            }
        if part(ingredient, "isActive") is False:
            continue
        coded += codings(substance)
        words += texts(substance)
        stated.append(_ingredient(substance, part(ingredient, "strength")))
    if not words and not coded and shown:
        words = [shown]
    if words or coded:  # a form alone does not name a medication
        names = (*words, *(coding.display for coding in coded if coding.display))
        words += [f"{names[0]} {form}" if names else form
                 for form in all_words(part(medication, "form"))]  # fmt: skip
    anything = bool(words or coded)
    if not stated and anything:
        ingredients: Sequence[Ingredient] = _from_names(all_words(code) or (shown,))
    else:
        ingredients = tuple(stated)
    meaning = _with_route(vocabulary, coded, words, dosages)
    designation = KnownDesignation(
        label(code) or shown or (stated[0].name if stated else ""),
        _words(coded, words),
        frozenset(
            normal_key(coding.system, coding.code)
            for coding in own
            if coding.system and coding.code
        ),
    )
    return _Product(
        meaning.concepts,
        designation,
        anything,
        meaning.read,
        meaning.certain,
        ingredients,
        referenced=True,
    )


def _nearby(item: Item, medication: object) -> list[object]:
    return [*items(part(medication, "contained")), *items(item.value("contained"))]


def _from_names(names: tuple[str, ...]) -> tuple[Ingredient, ...]:
    """The strengths in the first of these names that has any."""
    for name in names:
        ingredients = ingredients_of(name)
        if ingredients:
            return ingredients
    return ()


def _ingredient(substance: object, strength: object) -> Ingredient:
    """One ingredient of a Medication; its strength is per single unit of the product."""
    name = label(substance)
    amount = number(part(strength, "numerator", "value"))
    unit = text(part(strength, "numerator", "unit")) or text(part(strength, "numerator", "code"))
    count = number(part(strength, "denominator", "value"))
    denominator = text(part(strength, "denominator", "unit")) or text(
        part(strength, "denominator", "code")
    )
    if amount is None or amount <= 0 or (count is not None and count <= 0):
        return Ingredient(name)
    if count is not None and count != 1:
        amount = amount / count
    unit = unit.lower()
    per = denominator.lower().strip("{}")
    return Ingredient(name, amount, f"{unit}/{per}" if per in ("ml", "l", "h", "hr") else unit)
