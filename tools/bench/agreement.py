"""Where the CQL rules and ours answer differently, over fixtures and shared patients."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tools.bench import servers
from tools.bench.contestants import CQL, PATHS, Ground

# What a CQL card's summary begins with, and the rule of ours.
RULES = {
    "Low magnesium": "low-magnesium",
    "Active quinine": "quinine-active",
    "Magnesium taken": "magnesium-in-renal-impairment",
}
_SHARED = Path(os.environ.get("CDS_SHARED", servers.CHECKOUT.parent / "shared"))


def cases() -> Iterator[tuple[str, dict[str, Any], datetime]]:
    """Name, ``patient-view`` call or Bundle, moment: scenarios with default settings, patients."""
    for folder in sorted((servers.CHECKOUT / "fixtures" / "scenarios").iterdir()):
        if not folder.is_dir():
            continue
        call = json.loads((folder / "request.json").read_bytes())
        expected = json.loads((folder / "expected.json").read_bytes())
        if call["hook"] == "patient-view" and not {"settings", "status"} & expected.keys():
            yield folder.name, call, datetime.fromisoformat(expected["as_of"])
    for file in sorted((_SHARED / "synthea").glob("*.json")):
        text = file.read_text()
        bundle = json.loads(text)
        names = {one["fullUrl"]: one["resource"] for one in bundle["entry"]}
        for url, resource in names.items():  # references as a server stores them
            text = text.replace(f'"{url}"', f'"{resource["resourceType"]}/{resource["id"]}"')
        dates = [one.get("effectiveDateTime", "")[:10] for one in names.values()]
        newest = datetime.fromisoformat(max(dates) + "T12:00:00+00:00")
        yield file.stem.rpartition("_")[0], json.loads(text), newest + timedelta(days=1)


def compared(on: Ground) -> dict[str, Any]:
    """How many cases, how many cards, and each case with different ones: ours, then CQL's."""
    from cds_service.api.asking import ask
    from cds_service.app import make_parts
    from cds_service.settings import read_settings

    parts = make_parts(read_settings(database_url=f"sqlite:///{on.folder}/agreement.db"))
    port = on.server(CQL).port
    found: dict[str, Any] = {"cases": 0, "cards": 0, "differ": []}
    for name, call, now in cases():
        answered = ask(parts, json.dumps(call).encode(), now).cards
        ours = {
            f"{one.rule.id} ({one.body['indicator']})"
            for one in answered
            if one.rule.id in RULES.values()
        }
        asked = call if "hook" in call else {"prefetch": {"all": call}}
        status, answer = servers.ask(
            port, "POST", PATHS[CQL][1], json.dumps(asked).encode(), {"X-Now": now.isoformat()}
        )
        theirs = {f"status {status}"} if status != 200 else set()
        for card in (answer or {}).get("cards", ()):
            (rule,) = (RULES[key] for key in RULES if card["summary"].startswith(key))
            theirs.add(f"{rule} ({card['indicator']})")
        found["cases"] += 1
        found["cards"] += len(ours)
        if ours != theirs:
            found["differ"].append([name, sorted(ours - theirs), sorted(theirs - ours)])
    return found
