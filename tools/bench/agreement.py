"""Where the CQL rules and ours answer differently, over scenarios and the demo's patients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.catalogue.topics import chosen_topics, patient_folders
from cds_service.demo.fixtures import fixture_patients
from cds_service.settings import read_settings
from tests.scenarios.golden import FOLDERS, scenario
from tools.bench.contestants import CQL, PATHS, Ground
from tools.faults.load import Call, Client

# What a CQL card's summary begins with, and the rule of ours.
RULES = {
    "Low magnesium": "low-magnesium",
    "Active quinine": "quinine-active",
    "Magnesium taken": "magnesium-in-renal-impairment",
}


def cases() -> Iterator[tuple[str, dict[str, Any], datetime]]:
    """Name, ``patient-view`` call or Bundle, moment: scenarios with default settings, patients."""
    for one in map(scenario, FOLDERS):
        if one.request["hook"] == "patient-view" and not {"settings", "status"} & set(one.expected):
            yield one.name, one.request, one.as_of
    for patient in fixture_patients(patient_folders(chosen_topics(read_settings()))).values():
        moment = datetime.fromisoformat(patient.as_of).replace(tzinfo=UTC)
        yield patient.name, json.loads(patient.bundle()), moment


def compared(on: Ground) -> dict[str, Any]:
    """How many cases, how many cards, and each case with different ones: ours, then CQL's."""
    parts = make_parts(read_settings(database_url=f"sqlite:///{on.folder}/agreement.db"))
    client = Client(on.server(CQL).port)
    found: dict[str, Any] = {"cases": 0, "cards": 0, "differ": []}
    for name, call, now in cases():
        answered = ask(parts, json.dumps(call).encode(), now).cards
        told = ((one.rule.id, one.body["indicator"]) for one in answered)
        ours = {f"{rule} ({indicator})" for rule, indicator in told if rule in RULES.values()}
        asked = json.dumps(call if "hook" in call else {"prefetch": {"all": call}}).encode()
        answer = client.send(Call(PATHS[CQL][1], asked, {"X-Now": now.isoformat()}))
        theirs = {f"status {answer.status}"} if answer.status != 200 else set()
        for card in json.loads(answer.body).get("cards", ()):
            (rule,) = (RULES[key] for key in RULES if card["summary"].startswith(key))
            theirs.add(f"{rule} ({card['indicator']})")
        found["cases"] += 1
        found["cards"] += len(ours)
        if ours != theirs:
            found["differ"].append([name, sorted(ours - theirs), sorted(theirs - ours)])
    return found
