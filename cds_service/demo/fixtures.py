"""The patients that topics bring for the demo page, and the orders that it offers to draft."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.errors import StartupError


@dataclass(frozen=True, slots=True)
class FixturePatient:
    """One patient of the topic ``topic``, with the ``hook`` and ``as_of`` (ISO date or instant) of
    its story."""

    name: str
    title: str
    story: str
    hook: str
    as_of: str
    topic: str
    file: Path

    def bundle(self) -> bytes:
        """The FHIR Bundle as it is in the file."""
        return self.file.read_bytes()


def fixture_patients(folders: Mapping[str, Path]) -> dict[str, FixturePatient]:
    """The patients by name, in the order of each folder's ``index.json``.

    ``folders`` are by the keys of their topics. Raises StartupError where an index is invalid, or
    two patients have one name.
    """
    found: dict[str, FixturePatient] = {}
    for topic, folder in folders.items():
        index = folder / "index.json"
        try:
            entries = json.loads(index.read_text("utf-8"))
            patients = [
                FixturePatient(
                    **{key: str(entry[key]) for key in ("name", "title", "story", "hook", "as_of")},
                    topic=topic,
                    file=folder / f"{entry['name']}.json",
                )
                for entry in entries
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise StartupError(
                f"{index}: {error} is missing or wrong.",
                "Write a list of patients with name, title, story, hook and as_of.",
            ) from None
        for patient in patients:
            if patient.name in found:
                raise StartupError(
                    f"{index}: another patient of the demo page is called {patient.name}.",
                    "Choose another name.",
                )
            found[patient.name] = patient
    return found


def offered_orders(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """The orders of each folder's ``orders.json``, which it need not have.

    Each has ``group``, ``key``, ``label`` and ``resource`` (a draft without id and subject). Raises
    StartupError where a file is invalid, or two different orders have one key.
    """
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        file = folder / "orders.json"
        if not file.is_file():
            continue
        try:
            orders: list[dict[str, Any]] = [
                {key: str(order[key]) for key in ("group", "key", "label")}
                | {"resource": dict(order["resource"])}
                for order in json.loads(file.read_text("utf-8"))
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise StartupError(
                f"{file}: {error} is missing or wrong.",
                "Write a list of orders with group, key, label and resource.",
            ) from None
        for order in orders:
            if found.setdefault(order["key"], order) != order:
                raise StartupError(
                    f"{file}: another order of the demo page has the key {order['key']}.",
                    "Choose another key.",
                )
    return list(found.values())
