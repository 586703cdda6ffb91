"""What an export holds, as rows of one resource each.

A folder of Bulk Data (NDJSON, also compressed), of one-patient Bundles, or Parquet with a raw
resource a row. Odd data is counted by reason and never ends the run.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from cds_service.errors import BadRequest
from cds_service.fhir.values.elements import part, text
from cds_service.population.tables import RESOURCES, need

READ = frozenset(
    {
        "Patient", "Observation", "DiagnosticReport", "Condition", "MedicationRequest",
        "MedicationStatement", "Medication", "AllergyIntolerance", "Encounter", "ServiceRequest",
        "DeviceRequest", "NutritionOrder", "VisionPrescription", "CommunicationRequest",
        "SupplyRequest",
    }
)  # fmt: skip
"""The types that some rule may need; the rest is counted only."""

MEDICATIONS = ""
"""The patient of a resource that belongs to none: a Medication that requests refer to."""

_BATCH = 4096
_BATCH_BYTES = 16 << 20
_ENDS = (".ndjson", ".json", ".ndjson.gz", ".json.gz", ".parquet")
_ASIDE = frozenset({"error", "deleted"})


class _Head(msgspec.Struct, gc=False):
    resourceType: Any = None  # noqa: N815  # FHIR's names
    id: Any = None
    meta: Any = None
    subject: Any = None
    patient: Any = None
    medicationReference: Any = None  # noqa: N815


class _Request(msgspec.Struct, gc=False):
    method: Any = None
    url: Any = None


class _Entry(msgspec.Struct, gc=False):
    fullUrl: Any = None  # noqa: N815
    resource: msgspec.Raw = msgspec.Raw(b"")
    request: _Request | None = None


class _Bundle(msgspec.Struct, gc=False):
    entry: list[_Entry] = []  # msgspec copies it


_head = msgspec.json.Decoder(_Head)
_bundle = msgspec.json.Decoder(_Bundle)


class Source:
    """One export. ``odd`` counts what was odd by reason, ``types`` the resources by type."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise BadRequest(
                f"{folder} is not a folder.",
                "Name the folder of an export: NDJSON, Bundles or Parquet.",
                "SOURCE",
            )
        found = [one for one in sorted(folder.rglob("*")) if one.name.endswith(_ENDS)]
        hidden = [one for one in found if any(p.startswith(".") for p in _below(one, folder))]
        found = [one for one in found if one not in set(hidden)]
        self.files = [one for one in found if _ASIDE.isdisjoint(_below(one, folder)[:-1])]
        self._errors = [one for one in found if "error" in _below(one, folder)[:-1]]
        self._deletions = [one for one in found if "deleted" in _below(one, folder)[:-1]]
        if not self.files:
            raise BadRequest(
                f"{folder} holds no NDJSON, JSON or Parquet file.",
                "Name the folder of an export, such as smart-fetch leaves it.",
                "SOURCE",
            )
        self.odd: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.read_bytes = 0
        self.bytes = sum(one.stat().st_size for one in self.files)
        self._deleted: frozenset[str] = frozenset()

    def batches(self) -> Iterator[Any]:
        """Arrow batches of the shape `RESOURCES`."""
        arrow = need("pyarrow")
        self._errors_told()
        self._deleted = frozenset(self._gone())
        columns: list[list[Any]] = [[] for _ in RESOURCES]
        size = 0
        for row in self._rows():
            for column, value in zip(columns, row, strict=True):
                column.append(value)
            size += len(row[-1])
            if len(columns[0]) >= _BATCH or size >= _BATCH_BYTES:
                yield _batch(arrow, columns)
                columns = [[] for _ in RESOURCES]
                size = 0
        if columns[0]:
            yield _batch(arrow, columns)

    def _errors_told(self) -> None:
        for path in self._errors:
            for line in self._lines(path):
                if line.strip():
                    self.odd["an error reported by the exporting server (error/)"] += 1

    def _gone(self) -> Iterator[str]:
        """``Type/id`` of what the server says was deleted."""
        for path in self._deletions:
            for line in self._lines(path):
                if not line.strip():
                    continue
                try:
                    entries = _bundle.decode(line).entry
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    self.odd["a line of deleted/ that cannot be read"] += 1
                    continue
                for one in entries:
                    url = text(one.request.url) if one.request else ""
                    if one.request and one.request.method == "DELETE" and "/" in url:
                        yield "/".join(url.partition("?")[0].rstrip("/").split("/")[-2:])
                    else:
                        self.odd["an entry of deleted/ that names no deletion"] += 1

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for number, path in enumerate(self.files):
            before = self.read_bytes
            for line_number, line in enumerate(self._resources(path)):
                if line.strip():
                    yield from self._opened(line, number << 32 | line_number, path)
            self.read_bytes = before + path.stat().st_size

    def _resources(self, path: Path) -> Iterator[bytes]:
        """Each line of an NDJSON file, the whole of a JSON file, each row of Parquet."""
        if path.name.endswith(".parquet"):
            yield from self._parquet(path)
        elif ".ndjson" in path.name:
            yield from self._lines(path)
        else:
            whole = b"".join(self._lines(path))
            try:
                msgspec.json.decode(whole, type=msgspec.Raw)
            except msgspec.DecodeError:
                # NDJSON under another name, or broken: by its lines.
                yield from whole.splitlines()
            else:
                yield whole

    def _lines(self, path: Path) -> Iterator[bytes]:
        opened: Any = gzip.open if path.name.endswith(".gz") else open
        try:
            with opened(path, "rb") as file:
                for line in file:
                    self.read_bytes += len(line)
                    yield line
        except (OSError, EOFError, zlib.error):
            self.odd["a file that ends in the middle or cannot be read"] += 1

    def _parquet(self, path: Path) -> Iterator[bytes]:
        arrow = need("pyarrow")
        from pyarrow import parquet

        try:
            file = parquet.ParquetFile(path)
            fields = [
                one.name
                for one in file.schema_arrow
                if arrow.types.is_string(one.type)
                or arrow.types.is_large_string(one.type)
                or arrow.types.is_binary(one.type)
                or arrow.types.is_large_binary(one.type)
            ]
            named = [one for one in ("resource", "raw", "json", "value") if one in fields]
            if not named and len(fields) != 1:
                self.odd["a Parquet file without a column resource"] += 1
                return
            column = (named or fields)[0]
            for batch in file.iter_batches(_BATCH, columns=[column]):
                for one in batch.column(0).to_pylist():
                    if one is None:
                        self.odd["a row without a resource"] += 1
                    else:
                        yield one.encode() if isinstance(one, str) else one
        except (OSError, arrow.ArrowException):
            self.odd["a file that ends in the middle or cannot be read"] += 1

    def _opened(self, line: bytes, position: int, path: Path) -> Iterator[tuple[Any, ...]]:
        try:
            head = _head.decode(line)
            line.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            last = not line.endswith(b"\n") and ".ndjson" in path.name
            self.odd["a line cut in the middle" if last else "a line that is not JSON"] += 1
            return
        if head.resourceType == "Bundle":
            yield from self._of_bundle(line, position)
        else:
            yield from self._row(head, line.strip(), position, "")

    def _of_bundle(self, line: bytes, position: int) -> Iterator[tuple[Any, ...]]:
        try:
            entries = _bundle.decode(line).entry
        except (msgspec.DecodeError, RecursionError):
            self.odd["a Bundle that cannot be read"] += 1
            return
        read = []
        for one in entries:
            raw = bytes(one.resource)
            try:
                read.append((text(one.fullUrl), _head.decode(raw), raw))
            except (msgspec.DecodeError, RecursionError):
                self.odd["an entry without a resource"] += 1
        # Within a Bundle patients may be referred to by the address of their entry.
        names = {
            url: text(head.id)
            for url, head, _ in read
            if head.resourceType == "Patient" and url and text(head.id)
        }
        for url, head, raw in read:
            owner = text(part(head.subject or head.patient, "reference"))
            whole = raw
            if owner in names:
                meant = f"Patient/{names[owner]}"
                whole = raw.replace(f'"{owner}"'.encode(), f'"{meant}"'.encode())
                head.subject = {"reference": meant}
            yield from self._row(head, whole, position, url)

    def _row(self, head: _Head, raw: bytes, position: int, url: str) -> Iterator[tuple[Any, ...]]:
        kind, name = text(head.resourceType), text(head.id)
        if not kind:
            self.odd["a line that is not a FHIR resource"] += 1
            return
        self.types[kind] += 1
        if kind not in READ:
            return
        if not name and kind in ("Patient", "Medication", "Encounter"):
            self.odd[f"{kind} without an id"] += 1
            return
        if f"{kind}/{name}" in self._deleted:
            self.odd["deleted at the server (deleted/)"] += 1
            return
        if kind == "Patient":
            patient = name
        elif kind == "Medication":
            patient = MEDICATIONS
        else:
            patient = patient_of(head.subject) or patient_of(head.patient)
            if not patient:
                self.odd[f"{kind} without a patient"] += 1
                return
        medication = last_of(head.medicationReference)
        updated = text(part(head.meta, "lastUpdated"))
        yield patient, kind, name, instant(updated), position, url, medication, raw


_PATIENT = re.compile(r"(?:^|/)Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?$")
_LAST = re.compile(r"[/:]")


def patient_of(reference: object) -> str:
    """The id in a reference to a patient; nothing where it is not one."""
    found = _PATIENT.search(text(part(reference, "reference")))
    return found[1] if found else ""


def last_of(reference: object) -> str:
    """The id at the end of a reference of any kind."""
    stated = text(part(reference, "reference")).partition("/_history/")[0]
    return "" if stated.startswith("#") else _LAST.split(stated)[-1]


def instant(value: str) -> str:
    """An instant in a form whose order as text is its order in time."""
    from datetime import UTC

    from cds_service.fhir.values.moments import read_when

    when = read_when(value, UTC)
    return when.astimezone(UTC).isoformat(timespec="microseconds") if when else ""


def _below(path: Path, folder: Path) -> tuple[str, ...]:
    return path.relative_to(folder).parts


def _batch(arrow: Any, columns: Iterable[list[Any]]) -> Any:
    from cds_service.population.tables import resources_schema

    schema = resources_schema()
    made = [arrow.array(one, kind) for one, kind in zip(columns, schema.types, strict=True)]
    return arrow.record_batch(made, schema=schema)
