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
from tools.faults.load import Post, Sender

# What a CQL card's summary begins with, and the rule of ours.
RULES = {
    "Low magnesium": "low-magnesium",
    "Active quinine": "quinine-active",
    "Magnesium taken": "magnesium-in-renal-impairment",
}


def cases() -> Iterator[tuple[str, dict[str, Any], datetime]]:
    """Name, ``patient-view`` call or Bundle, time: scenarios with default settings, patients."""
    for case in map(scenario, FOLDERS):
        if case.request["hook"] == "patient-view" and not {"settings", "status"} & set(
            case.expected
        ):
            yield case.name, case.request, case.as_of
    for patient in fixture_patients(patient_folders(chosen_topics(read_settings()))).values():
        moment = datetime.fromisoformat(patient.as_of).replace(tzinfo=UTC)
        yield patient.name, json.loads(patient.bundle()), moment


def compared(ground: Ground) -> dict[str, Any]:
    """How many cases, how many cards, and each case where the cards differ: ours, then CQL's."""
    parts = make_parts(read_settings(database_url=f"sqlite:///{ground.folder}/agreement.db"))
    client = Sender(ground.server(CQL).port)
    comparison: dict[str, Any] = {"cases": 0, "cards": 0, "differ": []}
    for name, call, now in cases():
        cards = ask(parts, json.dumps(call).encode(), now).cards
        fired = ((card.rule.id, card.body["indicator"]) for card in cards)
        ours = {f"{rule} ({indicator})" for rule, indicator in fired if rule in RULES.values()}
        body = json.dumps(call if "hook" in call else {"prefetch": {"all": call}}).encode()
        answer = client.send(Post(PATHS[CQL][1], body, {"X-Now": now.isoformat()}))
        theirs = {f"status {answer.status}"} if answer.status != 200 else set()
        for card in json.loads(answer.body).get("cards", ()):
            (rule,) = (RULES[key] for key in RULES if card["summary"].startswith(key))
            theirs.add(f"{rule} ({card['indicator']})")
        comparison["cases"] += 1
        comparison["cards"] += len(ours)
        if ours != theirs:
            comparison["differ"].append([name, sorted(ours - theirs), sorted(theirs - ours)])
    return comparison
