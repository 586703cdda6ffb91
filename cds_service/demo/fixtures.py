"""The fixture patients, and the orders that the page offers to draft."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from cds_service.errors import StartupError

FOLDER = Path("fixtures/patients")


@dataclass(frozen=True, slots=True)
class FixturePatient:
    """One fixture patient, with the ``hook`` and ``as_of`` (ISO date or instant) of its story."""

    name: str
    title: str
    story: str
    hook: str
    as_of: str
    file: Path

    def bundle(self) -> bytes:
        """The FHIR Bundle as it is in the file."""
        return self.file.read_bytes()


def fixture_patients(of_topics: Iterable[Path] = ()) -> dict[str, FixturePatient]:
    """The patients by name, in the order of the index; empty where no fixtures are installed.

    ``of_topics`` are folders of further patients, each with an index of its own. Raises
    StartupError where an index is invalid, or two patients have one name.
    """
    found: dict[str, FixturePatient] = {}
    own = _folder()
    for folder in of_topics if own is None else (own, *of_topics):
        index = folder / "index.json"
        try:
            entries = json.loads(index.read_text("utf-8"))
            patients = [
                FixturePatient(
                    **{key: str(entry[key]) for key in ("name", "title", "story", "hook", "as_of")},
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


def _folder() -> Path | None:
    installed = Path(__file__).parent / "patients"
    checkout = Path(__file__).parent.parent.parent / FOLDER
    for folder in (FOLDER, installed, checkout):
        if (folder / "index.json").is_file():
            return folder
    return None


def offered_orders() -> list[dict[str, Any]]:
    """The orders: ``group``, ``key``, ``label``, ``resource`` (a draft without id and subject)."""
    text = files("cds_service.demo").joinpath("orders.json").read_text("utf-8")
    offered: list[dict[str, Any]] = json.loads(text)
    return offered
