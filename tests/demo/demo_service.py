"""The whole service with the demo page and the clock of the fixtures."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import FileSystemBytecodeCache

from cds_service.app import build, make_parts
from cds_service.settings import Settings
from tests.testing import fhir
from tests.testing.databases import empty_sqlite

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "patients"
PATIENTS = [
    entry["name"] for entry in json.loads((FIXTURES / "index.json").read_text(encoding="utf-8"))
]
COMPILED = FileSystemBytecodeCache()
"""Each application would compile the templates again."""
HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>{{ 7*7 }} \'"&'


def demo_app(folder: Path, **settings: Any) -> Flask:
    """The application with its database in ``folder``; close its records at the end."""
    values: dict[str, Any] = {
        "database_url": empty_sqlite(folder / "records.db"),
        "demo": True,
        "log_level": "error",
    } | settings
    app = build(replace(make_parts(Settings(**values)), now=lambda: NOW))
    app.extensions["cds_parts"].records.start()
    app.jinja_env.bytecode_cache = COMPILED
    return app


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    """A record of one patient with a hostile name."""
    name = [{"text": HOSTILE, "family": HOSTILE}]
    ours = ({"subject": fhir.subject()} | resource for resource in resources)
    return fhir.collection(fhir.patient(born="1960-01-01", name=name), *ours)


def hostile_bundle() -> dict[str, Any]:
    """A record with hostile text wherever the page shows text of a record."""
    quinine = f"Quinine sulfate 324 MG {HOSTILE}"
    odd = {"value": 3.1, "unit": HOSTILE, "code": HOSTILE}
    code = fhir.concept(HOSTILE, (fhir.LOINC, "2823-3"))
    return bundle(
        fhir.condition(f"Nocturnal leg cramps {HOSTILE}"),
        fhir.prescription(quinine, authoredOn="2026-10-01"),
        fhir.prescription(quinine, id="d1", status="draft", authoredOn=None),
        fhir.lab("2823-3", when="2026-11-20", code=code, valueQuantity=odd),
    )
