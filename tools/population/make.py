"""A synthetic population with the gaps that real exports have, as Bulk Data NDJSON.

    python tools/population/make.py FOLDER --patients 10000

The same seed gives the same bytes. None of it is a real person; rates are chosen so that each
kind of gap occurs, not to match those of a hospital.

It builds its own FHIR JSON: tools do not import the builder of the tests (`tests/testing/fhir.py`),
and resources are written here as exports have them, by the million.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 180
# LOINC code, unit, usual value, spread, decimals
LABS = {
    "2823-3": ("mmol/L", 4.2, 0.5, 1),
    "2601-3": ("mmol/L", 0.82, 0.1, 2),
    "17861-6": ("mg/dL", 9.4, 0.5, 1),
    "2160-0": ("mg/dL", 0.95, 0.3, 2),
    "33914-3": ("mL/min/{1.73_m2}", 78, 24, 0),
    "718-7": ("g/dL", 13.4, 1.5, 1),
    "2276-4": ("ng/mL", 90, 60, 0),
    "3016-3": ("m[IU]/L", 2.0, 1.0, 2),
}
UNRELATED = ("8302-2", "29463-7", "8867-4", "8310-5", "9279-1")
DRUGS = (
    "furosemide 40 MG Oral Tablet", "atorvastatin 20 MG Oral Tablet",
    "quinine sulfate 300 MG Oral Tablet", "magnesium oxide 400 MG Oral Tablet",
    "ibuprofen 400 MG Oral Tablet", "baclofen 10 MG Oral Tablet", "amoxicillin 500 MG Oral Capsule",
    "metformin 500 MG Oral Tablet",
)  # fmt: skip
PROBLEMS = ("essential hypertension", "chronic kidney disease stage 4", "cirrhosis of liver",
            "type 2 diabetes mellitus", "asthma")  # fmt: skip


def patient(number: int, seed: int, results: int) -> Iterator[Json]:
    """All resources of one patient, each once or, if it was changed late, twice."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311  # made-up data, the same each time
    name = f"s{number:07}"
    subject = {"reference": f"Patient/{name}"}
    female = draw.random() < 0.54
    age = draw.randint(3, 17) if draw.random() < 0.06 else draw.randint(18, 95)
    pregnant = female and 18 <= age <= 42 and draw.random() < 0.08
    person: Json = {
        "resourceType": "Patient", "id": name, "gender": "female" if female else "male",
        "birthDate": f"{2026 - age}-{draw.randint(1, 12):02}-15",
    }  # fmt: skip
    if draw.random() < 0.02:
        del person["birthDate"]
    if draw.random() < 0.01:
        person["deceasedDateTime"] = _when(draw, DAYS)
    if draw.random() > 0.003:
        yield person
    for visit in range(draw.choice((1, 1, 2, 2, 3, 6))):
        yield _encounter(draw, name, subject, visit)
    problems = [problem for problem in PROBLEMS if draw.random() < 0.12]
    if draw.random() < 0.25:
        problems.append("nocturnal leg cramps")
    if pregnant:
        problems.append("pregnant")
    if draw.random() < 0.02:
        problems.append("acute kidney injury")
    for index, words in enumerate(problems):
        yield _condition(draw, f"{name}-c{index}", subject, words)
    aki = "acute kidney injury" in problems
    for index in range(results):
        result = _result(draw, f"{name}-o{index}", subject, aki)
        yield result
        if draw.random() < 0.01:
            yield {**result, "meta": {"lastUpdated": "2026-08-01T00:00:00Z"}}
    for index, drug in enumerate(drug_name for drug_name in DRUGS if draw.random() < 0.15):
        yield _request(draw, f"{name}-m{index}", subject, drug)
    if draw.random() < 0.2:
        yield {
            "resourceType": "ServiceRequest", "id": f"{name}-q", "status": "active",
            "intent": "order", "subject": subject, "authoredOn": _when(draw, DAYS),
            "code": {"coding": [{"system": "http://loinc.org", "code": "2601-3"}]},
            "requester": {"reference": f"Practitioner/d{draw.randint(1, 40)}"},
        }  # fmt: skip


def _encounter(draw: random.Random, name: str, subject: Json, visit: int) -> Json:
    inpatient = draw.random() < 0.15
    start = START + timedelta(minutes=draw.randint(0, DAYS * 1440))
    end = start + (timedelta(days=draw.randint(1, 9)) if inpatient else timedelta(minutes=30))
    encounter: Json = {
        "resourceType": "Encounter", "id": f"{name}-e{visit}", "subject": subject,
        "status": "cancelled" if draw.random() < 0.03 else "finished",
        "class": {"code": "IMP" if inpatient else "AMB"},
        "period": {"start": _text(start), "end": _text(end)},
    }  # fmt: skip
    if draw.random() < 0.95:
        clinician = {"reference": f"Practitioner/d{draw.randint(1, 40)}"}
        encounter["participant"] = [{"individual": clinician}]
    if draw.random() < 0.01:
        del encounter["period"]
    return encounter


def _condition(draw: random.Random, name: str, subject: Json, words: str) -> Json:
    condition: Json = {
        "resourceType": "Condition", "id": name, "subject": subject, "code": {"text": words},
        "clinicalStatus": {"coding": [{"code": "active"}]},
    }  # fmt: skip
    kind = draw.random()
    if kind < 0.85:
        condition["recordedDate"] = _when(draw, DAYS, 700)
    elif kind < 0.95:
        condition["onsetDateTime"] = _when(draw, DAYS, 700)[:10]
    if draw.random() < 0.1:
        condition["clinicalStatus"] = {"coding": [{"code": "resolved"}]}
        if draw.random() < 0.5:
            condition["abatementDateTime"] = _when(draw, DAYS)
    return condition


def _result(draw: random.Random, name: str, subject: Json, aki: bool) -> Json:
    drawn_at = START + timedelta(minutes=draw.randint(-360 * 1440, DAYS * 1440))
    code = draw.choice((*LABS, *UNRELATED))
    unit, usual, spread, decimals = LABS.get(code, ("1", 70.0, 8.0, 0))
    value = round(
        max(0.0, draw.gauss(usual, spread)) * (3 if aki and code == "2160-0" else 1), decimals
    )
    result: Json = {
        "resourceType": "Observation", "id": name, "status": "final", "subject": subject,
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "effectiveDateTime": _text(drawn_at),
        "issued": _text(drawn_at + timedelta(minutes=draw.randint(20, 600))),
        "valueQuantity": {"value": value, "unit": unit, "code": unit,
                          "system": "http://unitsofmeasure.org"},
    }  # fmt: skip
    gap = draw.random()
    if gap < 0.02:
        result["valueQuantity"] = {"value": value}
    elif gap < 0.03:
        del result["effectiveDateTime"], result["issued"]
    elif gap < 0.05:
        result["code"] = {"text": "Potassium (local panel)"}
    elif gap < 0.06:
        result["note"] = [{"text": "Specimen haemolysed"}]
    elif gap < 0.07:
        result["effectiveDateTime"] = result["effectiveDateTime"][:10]
        del result["issued"]
    elif gap < 0.08:
        result["valueQuantity"] = {"value": value, "unit": "units"}
    elif gap < 0.09:
        result["status"] = "corrected"
    return result


def _request(draw: random.Random, name: str, subject: Json, drug: str) -> Json:
    request: Json = {
        "resourceType": "MedicationRequest", "id": name, "intent": "order", "subject": subject,
        "status": draw.choice(("active", "active", "completed", "stopped")),
        "medicationCodeableConcept": {"text": drug}, "authoredOn": _when(draw, DAYS, 300),
        "requester": {"reference": f"Practitioner/d{draw.randint(1, 40)}"},
    }  # fmt: skip
    if request["status"] != "active" and draw.random() < 0.6:
        request["dispenseRequest"] = {"validityPeriod": {"end": _when(draw, DAYS)}}
    if draw.random() < 0.02:
        del request["authoredOn"]
    return request


def _when(draw: random.Random, after: int, before: int = 0) -> str:
    return _text(START + timedelta(minutes=draw.randint(-before * 1440, after * 1440)))


def _text(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def write(folder: Path, patients: int, seed: int, results: int) -> int:
    """Write the population, and return the number of resources. One line in 5,000 is truncated."""
    folder.mkdir(parents=True)
    count = 0
    with ExitStack() as stack:
        files: dict[str, Any] = {}
        for number in range(patients):
            for resource in patient(number, seed, results):
                kind = resource["resourceType"]
                if kind not in files:
                    path = folder / f"{kind}.000.ndjson"
                    files[kind] = stack.enter_context(path.open("w", encoding="utf-8"))
                line = json.dumps(resource, separators=(",", ":"))
                count += 1
                files[kind].write((line[:-20] if count % 5000 == 0 else line) + "\n")
    return count


def main() -> None:
    """Write a population to a folder that does not exist yet."""
    parser = argparse.ArgumentParser(description="Make a synthetic population.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--results", type=int, default=40, help="results of each patient")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count = write(options.folder, options.patients, options.seed, options.results)
    print(f"{count:,} resources of {options.patients:,} patients in {options.folder}")


if __name__ == "__main__":
    main()
