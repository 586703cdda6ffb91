"""Reads the lines of an export as rows of one resource each. Data that cannot be used is counted by
reason and never ends the run.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import msgspec
from msgspec.structs import replace

from cds_service.core.kinds import KIND_OF
from cds_service.fhir.values.elements import part, text
from cds_service.population.tables import need

READ = frozenset({*KIND_OF, "DiagnosticReport", "Medication", "Specimen"})
"""The types that a rule may need; resources of other types are only counted."""

MEDICATIONS = ""
"""Stands for the patient of a Medication, which belongs to no patient."""

ResourceRow = tuple[Any, ...]
"""One resource, with the columns `RESOURCES`."""

CUT = "a file that ends in the middle or cannot be read"
_BATCH = 4096
_MARK = b"\xef\xbb\xbf"  # the byte order mark that some programs write before UTF-8


class _Head(msgspec.Struct, frozen=True, gc=False):
    resourceType: Any = None  # noqa: N815  # FHIR's names
    id: Any = None
    meta: Any = None
    subject: Any = None
    patient: Any = None
    medicationReference: Any = None  # noqa: N815


class _Request(msgspec.Struct, frozen=True, gc=False):
    method: Any = None
    url: Any = None


class _Entry(msgspec.Struct, frozen=True, gc=False):
    fullUrl: Any = None  # noqa: N815
    resource: msgspec.Raw = msgspec.Raw(b"")
    request: _Request | None = None


class _Bundle(msgspec.Struct, frozen=True, gc=False):
    entry: list[_Entry] = []  # msgspec copies it


_head = msgspec.json.Decoder(_Head)
_bundle = msgspec.json.Decoder(_Bundle)


class RowReader:
    """Makes rows of the resources in lines or files.

    ``odd`` counts odd data by reason, ``types`` resources by type; resources in ``deleted``
    (``Type/id``) are left out.
    """

    def __init__(self, deleted: frozenset[str] = frozenset()) -> None:
        self.odd: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.deleted = deleted

    def file(self, name: str, file: BinaryIO, position: int) -> Iterator[ResourceRow]:
        """The rows of a file: from each line of NDJSON, each row of Parquet, or one JSON text."""
        for count, line in enumerate(self._resources(name, file)):
            yield from self.line(line, position + count)

    def span(
        self, file: BinaryIO, position: int, start: int = 0, end: int | None = None
    ) -> Iterator[ResourceRow]:
        """The rows of the lines of plain NDJSON that begin at one of the bytes from ``start`` to
        ``end`` (to the end of the file without one)."""
        if start:
            file.seek(start - 1)
            start += len(file.readline()) - 1  # skip the rest of a line that began earlier
        for line in file:
            if end is not None and start >= end:
                return
            yield from self.line(line, position + start)
            start += len(line)

    def line(self, line: bytes, position: int) -> Iterator[ResourceRow]:
        """The rows of a resource or a Bundle; a larger ``position`` means a later row."""
        line = line.strip().removeprefix(_MARK)
        if not line:
            return
        try:
            head = _head.decode(line)
            line.decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            cut = "truncated" in str(error) and line.startswith(b"{")
            self.odd["a line cut in the middle" if cut else "a line that is not JSON"] += 1
            return
        if head.resourceType == "Bundle":
            yield from self._of_bundle(line, position)
        else:
            yield from self._row(head, line, position, "")

    def lines(self, name: str, file: BinaryIO) -> Iterator[bytes]:
        """The lines of a file, compressed or not, as far as it can be read."""
        opened = gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file
        try:
            yield from opened
        except (OSError, EOFError, zlib.error):
            self.odd[CUT] += 1

    def unread(self, names: Iterable[str]) -> None:
        """Count files that look like data and are of a kind that is not read."""
        for name in names:
            end = name.rpartition(".")[2]  # no more of the name: it may be a patient's
            self.odd[f"a file of a kind that is not read (.{end})"] += 1

    def errors(self, name: str, file: BinaryIO) -> None:
        """Count the errors in a file of ``error/``."""
        for line in self.lines(name, file):
            if line.strip():
                self.odd["an error reported by the exporting server (error/)"] += 1

    def deletions(self, name: str, file: BinaryIO) -> Iterator[str]:
        """``Type/id`` of the resources that a file of ``deleted/`` lists as deleted."""
        for line in self.lines(name, file):
            if not line.strip():
                continue
            try:
                entries = _bundle.decode(line).entry
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.odd["a line of deleted/ that cannot be read"] += 1
                continue
            for entry in entries:
                url = text(entry.request.url) if entry.request else ""
                if entry.request and entry.request.method == "DELETE" and "/" in url:
                    yield "/".join(url.partition("?")[0].rstrip("/").split("/")[-2:])
                else:
                    self.odd["an entry of deleted/ that names no deletion"] += 1

    def _resources(self, name: str, file: BinaryIO) -> Iterator[bytes]:
        if name.endswith(".parquet"):
            yield from self._parquet(file)
        elif ".ndjson" in name:
            yield from self.lines(name, file)
        else:
            whole = b"".join(self.lines(name, file)).removeprefix(_MARK)
            try:
                msgspec.json.decode(whole, type=msgspec.Raw)
            except msgspec.DecodeError:
                # NDJSON under another name, or broken JSON: read line by line.
                yield from whole.splitlines()
            else:
                yield whole

    def _parquet(self, opened: BinaryIO) -> Iterator[bytes]:
        arrow = need("pyarrow")
        from pyarrow import parquet

        try:
            file = parquet.ParquetFile(opened)
            fields = [
                field.name for field in file.schema_arrow if _is_text(arrow.types, field.type)
            ]
            columns = [name for name in ("resource", "raw", "json", "value") if name in fields]
            if not columns and len(fields) != 1:
                self.odd["a Parquet file without a column resource"] += 1
                return
            column = (columns or fields)[0]
            for batch in file.iter_batches(_BATCH, columns=[column]):
                for value in batch.column(0).to_pylist():
                    if value is None:
                        self.odd["a row without a resource"] += 1
                    else:
                        yield value.encode() if isinstance(value, str) else value
        except (OSError, arrow.ArrowException):
            self.odd[CUT] += 1

    def _of_bundle(self, line: bytes, position: int) -> Iterator[ResourceRow]:
        try:
            entries = _bundle.decode(line).entry
        except (msgspec.DecodeError, RecursionError):
            self.odd["a Bundle that cannot be read"] += 1
            return
        read = []
        for entry in entries:
            raw = bytes(entry.resource)
            try:
                read.append((text(entry.fullUrl), _head.decode(raw), raw))
            except (msgspec.DecodeError, RecursionError):
                self.odd["an entry without a resource"] += 1
        # Within a Bundle, references to a patient may use the fullUrl of the entry.
        names = {
            url: text(head.id)
            for url, head, _ in read
            if head.resourceType == "Patient" and url and text(head.id)
        }
        for url, head, raw in read:
            owner = text(part(head.subject or head.patient, "reference"))
            named, whole = head, raw
            if owner in names:
                reference = f"Patient/{names[owner]}"
                whole = raw.replace(f'"{owner}"'.encode(), f'"{reference}"'.encode())
                named = replace(head, subject={"reference": reference})
            yield from self._row(named, whole, position, url)

    def _row(self, head: _Head, raw: bytes, position: int, url: str) -> Iterator[ResourceRow]:
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
        if f"{kind}/{name}" in self.deleted:
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


def _is_text(types: Any, kind: Any) -> bool:
    """Whether an Arrow type is text or bytes, dictionary-encoded or not."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        getattr(types, f"is_{name}")(kind)
        for name in ("string", "large_string", "binary", "large_binary")
    )


_PATIENT = re.compile(r"(?:^|/)Patient/([A-Za-z0-9\-.]{1,64})(?:/_history/.*)?$")
_LAST = re.compile(r"[/:]")


def patient_of(reference: object) -> str:
    """The id in a reference to a patient; "" where it is not one."""
    match = _PATIENT.search(text(part(reference, "reference")))
    return match[1] if match else ""


def last_of(reference: object) -> str:
    """The id at the end of a reference of any kind."""
    stated = text(part(reference, "reference")).partition("/_history/")[0]
    return "" if stated.startswith("#") else _LAST.split(stated)[-1]


def instant(value: str) -> str:
    """An instant as UTC text that sorts in order of time; "" where it cannot be read."""
    from datetime import UTC

    from cds_service.fhir.values.moments import read_when

    when = read_when(value, UTC)
    return when.astimezone(UTC).isoformat(timespec="microseconds") if when else ""
