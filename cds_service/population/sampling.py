"""Chart review: sheets for two blinded readers, drawn by rule from calls with and without a card.

``sample.csv`` and ``sample/NNN.html`` are for the readers; ``sample-key.csv`` has the rules'
outcomes and is kept for scoring.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from cds_service.fhir.values.elements import items, part, status_words, text
from cds_service.population.dated import DatedResource, items_of
from cds_service.population.evaluating import Plan
from cds_service.population.moments import History
from cds_service.population.reading import MEDICATIONS
from cds_service.population.tables import RESOURCES, database, rows_in

Json = dict[str, Any]
SHEET = ("sheet", "rule", "time", "patient", "should_fire", "comment")
KEY = ("sheet", "rule", "answer", "because")


def draw_sample(count: int, plan: Plan, work: Path, answers: Path, out: Path) -> None:
    """Draw ``count`` sheets, from all rules in turn, half of them where the rule fired."""
    drawn = _draw_cases(count, plan.sites[0], answers)
    histories = _histories({case["patient"] for case in drawn}, plan, work)
    folder = out / "sample"
    folder.mkdir(exist_ok=True)
    titles = _titles(plan)
    sheets, keys = [], []
    for number, case in enumerate(drawn, 1):
        name = f"{number:03}"
        text = _sheet(name, case, titles[case["rule"]], *histories[case["patient"]], plan)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
        when = case["time"].isoformat()
        sheets.append([name, case["rule"], when, case["patient"], "", ""])
        keys.append([name, case["rule"], case["answer"], "; ".join(case["because"])])
    _write(out / "sample.csv", SHEET, sheets)
    _write(out / "sample-key.csv", KEY, keys)


def _draw_cases(count: int, site: str, answers: Path) -> list[Json]:
    joined = database()
    # In an order that reveals nothing of the outcome, and is the same in every run with one key.
    found = joined.execute(
        f"""
        WITH rows AS (
            SELECT patient, epoch_us(time) AS time, encounter, "order", unnest(answers) AS a
            FROM {rows_in(answers)}
            WHERE hook IS NOT NULL AND failed IS NULL AND site = ?
        ), ranked AS (
            SELECT patient, time, encounter, "order", a.rule AS rule, a.answer AS answer,
                a.because AS because, row_number() OVER (PARTITION BY a.rule, a.answer = 'fired'
                ORDER BY md5(concat_ws('/', a.rule, patient, time, encounter, "order"))) AS place,
                a.answer = 'fired' AS fired
            FROM rows WHERE a.fate IS DISTINCT FROM 'off'
        ), reviewed AS (SELECT DISTINCT rule FROM ranked WHERE fired)
        SELECT * FROM (SELECT * FROM ranked
            ORDER BY rule NOT IN (SELECT rule FROM reviewed), place, rule, fired LIMIT ?)
        ORDER BY md5(concat_ws('/', patient, time, rule))
        """,
        [site, count],
    )
    names = [column[0] for column in found.description]
    drawn = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for case in drawn:
        case["time"] = datetime.fromtimestamp(case["time"] / 1e6, UTC)
    return drawn


def _histories(
    wanted: set[str], plan: Plan, work: Path
) -> dict[str, tuple[History, dict[str, str]]]:
    """The histories of some patients by digest, with the names of Medications by id."""
    joined = database()
    shuffled = work / "shuffled"
    local = shuffled.exists()
    rows = rows_in(shuffled, "*/*/*.parquet") if local else rows_in(work / "resources")
    ids = {}
    for (name,) in joined.execute(f"SELECT DISTINCT patient FROM {rows}").fetchall():
        digest = plan.digest("Patient", name)
        if digest in wanted:
            ids[digest] = name
    drugs = f"SELECT id, raw FROM {rows} WHERE patient = '{MEDICATIONS}' AND type = 'Medication'"
    drug_names = {name: _name_of(raw) for name, raw in joined.execute(drugs).fetchall()}
    histories = {}
    for digest, name in ids.items():
        query = f"SELECT {', '.join(RESOURCES)} FROM {rows} WHERE patient = ? ORDER BY ALL"
        found = joined.execute(query, [name]).fetchall()
        items_read = items_of(found)
        person = next((item for item in items_read if item.type == "Patient"), None)
        history = History(person, [item for item in items_read if item.type != "Patient"])
        histories[digest] = (
            history,
            {drug: drug_names[drug] for drug in _drugs(items_read) if drug in drug_names},
        )
    return histories


def _drugs(items: Sequence[DatedResource]) -> Iterator[str]:
    return (item.medication for item in items if item.medication)


def _titles(plan: Plan) -> dict[str, str]:
    from cds_service.catalogue.topics import chosen_topics

    return {rule.id: rule.title for topic in chosen_topics(plan.settings) for rule in topic.rules}


def _sheet(
    name: str, case: Json, title: str, history: History, drugs: dict[str, str], plan: Plan
) -> str:
    """A page with what was known at the moment, newest first, without the rule's outcome."""
    order = ""
    placed = next((item for item in history.items if _digest(plan, item) == case["order"]), None)
    if case["order"] and placed is not None and (row := _line(placed, drugs)):
        order = f"<p>Order being placed: <b>{escape(row[2])}</b> ({escape(row[1])}).</p>"
    known_items = history.at(
        case["time"], alive=True, excluded=f"{placed.type}/{placed.id}" if order and placed else ""
    )
    rows = sorted(
        (row for item in known_items if (row := _line(item, drugs))),
        key=lambda row: row[:2],
        reverse=True,
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    patient_json = history.patient.raw if history.patient is not None else b"{}"
    person = msgspec.json.decode(patient_json)
    warn = (
        "<p><b>This page identifies a patient: for chart review in the hospital only.</b></p>"
        if plan.identified
        else ""
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Sheet {name}</title><style>body{{font:15px/1.4 system-ui,sans-serif;max-width:56rem;"
        "margin:1rem auto;padding:0 1rem}td,th{padding:.2rem .5rem;text-align:left;border-bottom:"
        "1px solid #ccc;vertical-align:top}p,td{overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}</style>"
        f"<h1>Sheet {name}</h1>{warn}<p><b>Question: should the clinician be told this at this "
        f"moment?</b> {escape(title)} ({escape(case['rule'])}). Write yes, no or unclear in the "
        "column should_fire of sample.csv, without talking to the other reader.</p>"
        f"<p>Patient {escape(case['patient'])}, {escape(str(person.get('gender') or 'sex unknown'))}, "
        f"born {escape(str(person.get('birthDate') or 'unknown')[:4])}. Moment: "
        f"{case['time'].astimezone():%Y-%m-%d %H:%M (UTC%z)}.</p>{order}<table><tr><th>date (local)<th>kind<th>what<th>value or status</tr>"
        f"{body}</table></html>\n"
    )


def _digest(plan: Plan, item: DatedResource) -> str | None:
    return plan.digest("order", f"{item.type}/{item.id}")


def _name_of(raw: bytes) -> str:
    """The drug, test or diagnosis of a resource, in words."""
    data = msgspec.json.decode(raw)
    inside = next((part(resource, "code") for resource in items(part(data, "contained"))), None)
    return _words(part(data, "medicationCodeableConcept") or part(data, "code") or inside)


def _words(code: object) -> str:
    first = next(iter(items(part(code, "coding"))), None)
    return text(part(code, "text")) or text(part(first, "display")) or text(part(first, "code"))


def _line(item: DatedResource, drugs: dict[str, str]) -> tuple[str, str, str, str] | None:
    """Date, type, name, and value or status of a resource; None where it is not listed."""
    if item.type in ("Patient", "Encounter", "Medication", "DiagnosticReport"):
        return None
    data = msgspec.json.decode(item.raw)
    title = _name_of(item.raw) or drugs.get(item.medication, "")
    statements = "; ".join(filter(None, _statements(data)))
    day = f"{item.known.astimezone():%Y-%m-%d %H:%M}" if item.known else "undated"
    return day, item.type, title or "(no code)", statements


def _statements(data: object) -> Iterator[str]:
    """The value of a resource and everything that qualifies it: a reader needs what a rule needs."""
    yield _value(data)
    for component in items(part(data, "component")):
        yield f"{_words(part(component, 'code'))}: {_value(component)}"
    stated = [part(data, name) for name in ("status", "clinicalStatus", "verificationStatus")]
    words = [word for status in stated for word in status_words(status)]
    yield ", ".join(word for word in dict.fromkeys(words) if word != "final")
    yield "reported as " * bool(flags := _list(data, "interpretation")) + flags
    for name in ("reasonCode", "dataAbsentReason"):
        yield _list(data, name)
    doses = (*items(part(data, "dosageInstruction")), *items(part(data, "dosage")))
    yield from (text(part(dose, "text")) for dose in doses)
    yield from (text(part(note, "text")) for note in items(part(data, "note")))
    yield text(part(data, "comment"))


def _list(data: object, name: str) -> str:
    """One or more concepts, in words."""
    stated = part(data, name)
    return ", ".join(filter(None, map(_words, items(stated) or [stated])))


def _value(data: object) -> str:
    quantity = part(data, "valueQuantity")
    if quantity is not None:
        unit = part(quantity, "unit") or part(quantity, "code")
        shown = (part(quantity, "comparator"), part(quantity, "value"), unit)
        return " ".join(str(piece) for piece in shown if piece is not None)
    for name in ("valueInteger", "valueBoolean"):
        if (plain := part(data, name)) is not None:
            return str(plain)
    return text(part(data, "valueString")) or _words(part(data, "valueCodeableConcept"))


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def read_csv(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file, even as Excel saves it. Raises OSError and UnicodeDecodeError."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        start = file.readline()
        file.seek(0)
        separator = ";" if start.count(";") > start.count(",") else ","
        for row in csv.DictReader(file, delimiter=separator):
            yield {(name or "").strip(): (value or "").strip() for name, value in row.items()
                   if isinstance(value, str) or value is None}  # fmt: skip
