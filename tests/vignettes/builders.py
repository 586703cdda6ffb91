"""Compact FHIR R4 builders and one way to run them: a vignette is a patient in one line."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.running import Running, started
from tests.testing import fhir
from tests.testing.fhir import ATC, ICD10, LOINC, RXNORM, SNOMED, Json

__all__ = ["ATC", "ICD10", "LOINC", "RXNORM", "SNOMED"]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PATIENT = "p1"
_ids = count(1)

_CODES = {
    "mg": "19123-9",
    "mg_molar": "2601-3",
    "k": "2823-3",
    "ferritin": "2276-4",
    "tsat": "2502-3",
    "hb": "718-7",
    "plt": "777-3",
    "egfr": "98979-8",
    "egfr_nonblack": "48642-3",
    "egfr_black": "48643-1",
    "egfr_mdrd": "33914-3",
    "creat": "2160-0",
    "na": "2951-2",
    "crp": "1988-5",
    "a1c": "4548-4",
    "glucose": "2345-7",
    "pregnant": "82810-3",
    "mg_rbc": "2597-3",
    "mg_urine": "2598-1",
    "mg_red": "26746-8",
    "k_urine": "2828-2",
    "cbc": "58410-2",
    "bmp": "51990-0",
    "crcl": "2164-2",
    "ca": "2000-8",
    "ca_ionised": "1995-0",
    "albumin": "1751-7",
    "ck": "2157-6",
    "tsh": "3016-3",
    "qtc": "8636-3",
}
_UNITS = {
    "mg": "mg/dL",
    "mg_molar": "mmol/L",
    "k": "mmol/L",
    "ferritin": "ng/mL",
    "tsat": "%",
    "hb": "g/dL",
    "plt": "10*3/uL",
    "creat": "mg/dL",
    "na": "mmol/L",
    "crp": "mg/L",
    "a1c": "%",
    "glucose": "mg/dL",
    "ca": "mmol/L",
    "ca_ionised": "mmol/L",
    "albumin": "g/dL",
    "ck": "U/L",
    "tsh": "m[IU]/L",
    "qtc": "ms",
}


def days_ago(days: float) -> str:
    """The moment that many days before now, as an instant."""
    return (NOW - timedelta(days=days)).isoformat()


def lab(
    what: str,
    value: str | None = None,
    unit: str | None = "",
    ago: float = 3,
    *,
    status: str = "final",
    comp: str | None = None,
    low: str | None = None,
    high: str | None = None,
    at: str | None = None,
    **more: Any,
) -> Json:
    """A result; ``value`` is written to the JSON as the number it spells; no unit if it is None."""
    if unit == "":
        unit = _UNITS.get(what, "mL/min/{1.73_m2}")
    fields = {"id": f"o{next(_ids)}", "status": status}
    limits = {"low": low, "high": high}
    ends = {
        end: {"value": fhir.number(limit), "unit": unit} for end, limit in limits.items() if limit
    }
    if ends:
        fields["referenceRange"] = [ends]
    if value is not None:
        quantity = {"value": fhir.number(value), "unit": unit, "comparator": comp}
        fields["valueQuantity"] = {key: part for key, part in quantity.items() if part is not None}
    return fhir.lab(_CODES[what], None, unit, at or days_ago(ago), **(fields | more))


def gfr(value: str, ago: float = 3, **more: Any) -> Json:
    """An eGFR."""
    return lab("egfr", value, ago=ago, **more)


def cond(
    text: str | None,
    *codings: tuple[str, str],
    status: str | None = "active",
    ver: str | None = "confirmed",
    **more: Any,
) -> Json:
    """A Condition."""
    more = {"id": f"c{next(_ids)}"} | more
    return fhir.condition(text, *codings, status=status, verification=ver, **more)


def med(text: str | None, *codings: tuple[str, str], **more: Any) -> Json:
    """An active MedicationRequest."""
    return fhir.prescription(
        text, *codings, **{"id": f"m{next(_ids)}", "authoredOn": days_ago(20)} | more
    )


def draft(text: str | None, *codings: tuple[str, str], **more: Any) -> Json:
    """A MedicationRequest being ordered."""
    return med(text, *codings, status="draft", **more)


def quinine(**more: Any) -> Json:
    """Quinine being ordered."""
    return draft("quinine sulfate 324 MG Oral Capsule", **more)


def statement(text: str, status: str = "active", **more: Any) -> Json:
    """A MedicationStatement."""
    return fhir.statement(text, **{"id": f"s{next(_ids)}", "status": status} | more)


def service(text: str | None, *codings: tuple[str, str], ago: float = 3, **more: Any) -> Json:
    """A ServiceRequest."""
    return fhir.order(
        text, *codings, **{"id": f"r{next(_ids)}", "authoredOn": days_ago(ago)} | more
    )


def draft_test(text: str | None, *codings: tuple[str, str], **more: Any) -> Json:
    """A ServiceRequest being ordered."""
    return service(text, *codings, status="draft", **more)


def allergy(text: str, status: str = "active", ver: str = "confirmed") -> Json:
    """An AllergyIntolerance."""
    return fhir.allergy(text, status=status, verification=ver, id=f"a{next(_ids)}")


def dose(
    value: str | None = "1",
    unit: str = "tablet",
    frequency: int | None = 1,
    *,
    code: str | None = None,
    high: str | None = None,
    as_needed: bool = False,
    top: tuple[str, str] | None = None,
    text: str | None = None,
) -> dict[str, list[Json]]:
    """``dosageInstruction`` for `med`: a number of units, a number of times a day."""
    more = {"asNeededBoolean": as_needed or None, "text": text}
    dosage = fhir.dosage(
        value, unit, frequency, high=high, code=code, most=top,
        **{key: extra for key, extra in more.items() if extra},
    )  # fmt: skip
    return {"dosageInstruction": [dosage]}


def because(text: str) -> dict[str, list[Json]]:
    """``reasonCode`` for `med` and `service`."""
    return {"reasonCode": [fhir.concept(text)]}


CRAMPS = cond("Nocturnal leg cramps", (ICD10, "R25.2"))
CIRRHOSIS = cond("Cirrhosis of liver", (SNOMED, "19943007"))
RLS = cond("Restless legs", (SNOMED, "32914008"))
DIALYSIS = cond("Dependence on renal dialysis", (ICD10, "Z99.2"))
AKI = cond("Acute kidney injury", (ICD10, "N17.9"))
CKD3 = cond("Chronic kidney disease stage 3", (ICD10, "N18.30"))
CKD4 = cond("Chronic kidney disease stage 4", (ICD10, "N18.4"))
PREGNANT = cond("Pregnancy", (SNOMED, "77386006"))
ASCITES = cond("Ascites", (SNOMED, "389026000"))
ENCEPHALOPATHY = cond("Hepatic encephalopathy", (SNOMED, "13920009"))
OXIDE = "magnesium oxide 400 MG Oral Tablet"


@dataclass(frozen=True)
class Vignette:
    """One sentence, one patient, and which cards must and must not result.

    ``expected``: ``rule:indicator`` (``rule`` alone: any), ``-rule`` for absent; the rest is about
    the first rule expected. Phrases are compared without regard to case; ``|`` separates them.
    """

    sentence: str
    given: list[Json]
    expected: str
    says: str = ""
    omits: str = ""
    offers: str = ""
    not_offered: str = ""
    age: int | None = 50
    sex: str | None = "female"
    drafts: list[Json] = field(default_factory=list)
    pick: list[int] | None = None
    without: str = ""
    prefetch: Json = field(default_factory=dict)
    context: Json = field(default_factory=dict)
    settings: Json = field(default_factory=dict)
    patient: Json = field(default_factory=dict)


def request_of(vignette: Vignette) -> Json:
    """The hook request of a vignette."""
    born = None if vignette.age is None else f"{NOW.year - vignette.age}-05-05"
    person = fhir.patient(PATIENT, born, **{"gender": vignette.sex} | vignette.patient)
    prefetch = fhir.prefetched(person, *vignette.given)
    for key in vignette.without.split():
        del prefetch[key]
    prefetch.update(vignette.prefetch)
    for each in vignette.given:
        if each["resourceType"] == "Encounter":
            prefetch["encounter"] = each
    hook, drafts = "patient-view", {}
    if vignette.drafts:
        hook, drafts = "order-select", fhir.drafted(*vignette.drafts, selected=vignette.pick)
    return fhir.call(hook, prefetch, context=vignette.context | drafts, of=PATIENT)


body_of = fhir.spelled


class Program:
    """The whole service behind its addresses, with its clock at `NOW`; one for each set of settings."""

    def __init__(self, folder: Path, open_until_the_end: ExitStack) -> None:
        self._folder = folder
        self._stack = open_until_the_end
        self._running: dict[str, Running] = {}

    def _with(self, settings: Json) -> Running:
        key = json.dumps(settings, sort_keys=True)
        if key not in self._running:
            chosen = {"max_info_cards": 50, **settings}
            database = self._folder / f"{len(self._running)}.db"
            self._running[key] = self._stack.enter_context(started(database, lambda: NOW, **chosen))
        return self._running[key]

    def answer(self, vignette: Vignette) -> Json:
        """Status and body that a client gets for a vignette."""
        request = request_of(vignette)
        response = self._with(vignette.settings).client.post(
            f"/cds-services/leg-cramps-{request['hook']}",
            data=body_of(request),
            content_type="application/json",
        )
        return {"status": response.status_code, **(response.get_json() or {})}

    def cards(self, vignette: Vignette) -> list[Json]:
        """The cards of a vignette."""
        answer = self.answer(vignette)
        assert answer["status"] == 200, answer
        return answer["cards"]  # type: ignore[no-any-return]

    def check(self, vignette: Vignette) -> None:
        """Assert everything that a vignette expects."""
        check(vignette, self.cards(vignette))


def check(vignette: Vignette, cards: list[Json]) -> None:
    """Assert that the cards are those that a vignette expects."""
    shown = {card["source"]["topic"]["code"]: card for card in cards}
    indicators = {rule: card["indicator"] for rule, card in shown.items()}
    first = ""
    for word in vignette.expected.split():
        if word.startswith("-"):
            assert word[1:] not in shown, f"{word[1:]} is not expected: {indicators}"
            continue
        rule, _, indicator = word.partition(":")
        first = first or rule
        assert rule in shown, f"{rule} is missing: {indicators}"
        if indicator:
            assert indicators[rule] == indicator, f"{rule} is {indicators[rule]}"
    card = shown.get(first, {"summary": "", "detail": "", "suggestions": []})
    text = (
        f"{card['summary']}\n{card['detail']}\n{card.get('source')}".lower()
        .replace("−", "-")
        .replace("–", "-")
    )
    labels = " / ".join(each["label"] for each in card.get("suggestions", [])).lower()
    for phrases, where, expected in (
        (vignette.says, text, True),
        (vignette.omits, text, False),
        (vignette.offers, labels, True),
        (vignette.not_offered, labels, False),
    ):
        for phrase in filter(None, phrases.split("|")):
            plain_phrase = phrase.lower().replace("−", "-").replace("–", "-")
            assert (plain_phrase in where) is expected, (
                f"{phrase!r} expected={expected} in: {where}"
            )


def table(cases: list[Vignette]) -> Any:
    """``parametrize`` with the sentences as ids."""
    sentences = [each.sentence for each in cases]
    repeated = {each for each in sentences if sentences.count(each) > 1}
    assert not repeated, f"sentences used twice: {repeated}"
    return pytest.mark.parametrize("vignette", cases, ids=sentences)
