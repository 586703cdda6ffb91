"""The groups by which results are reported: age, sex, and a site's extensions of Patient."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from cds_service.fhir.values.elements import items, part, text
from cds_service.population.dated import DatedResource

UNKNOWN = "unknown"


class Person:
    """A patient's sex, age bands and groups. ``groups`` are pairs of name and value."""

    def __init__(
        self,
        patient: str,
        resource: DatedResource | None,
        subgroups: Sequence[tuple[str, str]] = (),
    ) -> None:
        data = json.loads(resource.raw) if resource is not None else {}
        self.id = patient
        self.sex = text(part(data, "gender")) or UNKNOWN
        self.birth = text(part(data, "birthDate"))
        self.groups = tuple((name, _stated(data, url)) for name, url in subgroups)

    def band(self, moment: datetime) -> str:
        """The age band at a moment, or "unknown"."""
        if len(self.birth) < 4 or not self.birth[:4].isdigit():
            return UNKNOWN
        age = moment.year - int(self.birth[:4])
        if len(self.birth) == len("2026-11-23"):
            age -= f"{moment.month:02}-{moment.day:02}" < self.birth[5:]
        for top, name in ((18, "0-17"), (40, "18-39"), (65, "40-64"), (80, "65-79")):
            if age < top:
                return name
        return "80+"


def _stated(data: object, url: str) -> str:
    """The value of the extension with a URL, as text; "unknown" where there is none."""
    for extension in items(part(data, "extension")):
        if part(extension, "url") == url:
            return next(_values(extension), UNKNOWN)
    return UNKNOWN


def _values(extension: object) -> Iterator[str]:
    """The values of an extension; for a nested one (race, ethnicity) its text first."""
    if isinstance(extension, dict):
        for name, value in extension.items():
            if name.startswith("value"):
                yield from filter(None, (_words(value),))
    inner = [nested for nested in items(part(extension, "extension")) if isinstance(nested, dict)]
    for nested in sorted(inner, key=lambda nested: nested.get("url") != "text"):
        yield from _values(nested)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    coding = part(value, "coding")
    return (
        text(part(value, "text"))
        or text(part(value, "display"))
        or text(part(value, "code"))
        or (_words(items(coding)[0]) if items(coding) else "")
    )
