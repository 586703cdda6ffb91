"""The files of an export: a folder of Bulk Data (NDJSON, also compressed), of one-patient Bundles,
or of Parquet with one raw resource per row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import BadRequest
from cds_service.population.reading import CUT, ResourceRow, RowReader
from cds_service.population.tables import RESOURCES, need, resources_schema

FILE_BITS = 44
"""A position is the file's number, shifted left by this many bits, plus the place in the file."""

_BATCH = 4096
_BATCH_BYTES = 16 << 20
_ENDS = (".ndjson", ".json", ".ndjson.gz", ".json.gz", ".parquet")
_NOT_RESOURCES = frozenset({"error", "deleted"})
_DATA = re.compile(r"json|parquet|\.(?:gz|zip|zst|bz2|xz|7z|tar|tgz|csv|xml|avro|orc)$")
_LOG = "log.ndjson"  # what the exporting client did, not data
_REMOTE = re.compile(r"[a-z0-9]{2,}:/")


class Span(NamedTuple):
    """A part of an export: files with their numbers and names, and for a divided file the bytes
    from ``start`` to ``end``; the lines that begin there belong to this part."""

    files: tuple[tuple[int, str], ...]
    start: int
    end: int


class Export:
    """An export on this machine. Raises BadRequest where ``folder`` is not an export."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            addressed = "://" in str(folder) or _REMOTE.match(str(folder))
            raise BadRequest(
                f"{folder} is not a folder.",
                "Only --engine spark reads a URL."
                if addressed
                else "Name the folder of an export: NDJSON, Bundles or Parquet.",
                "SOURCE",
            )
        linked = inner_links(folder)
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        self._files = files_of(names - linked, str(folder))
        self._folder = folder

    def spans(self, at_most: int) -> tuple[Span, ...]:
        """The export in spans of about ``at_most`` bytes. Only a file of plain NDJSON can be
        divided; small files share a span."""
        spans: list[Span] = []
        small: list[tuple[int, str]] = []
        gathered = 0
        for number, name in enumerate(self._files.resources):
            size = (self._folder / name).stat().st_size
            if size > at_most and name.endswith(".ndjson"):
                step = -(-size // -(-size // at_most))  # equal parts, rounded up
                spans += [
                    Span(((number, name),), start, min(start + step, size))
                    for start in range(0, size, step)
                ]
                continue
            if small and gathered + size > at_most:
                spans.append(Span(tuple(small), 0, gathered))
                small, gathered = [], 0
            small.append((number, name))
            gathered += size
        if small:
            spans.append(Span(tuple(small), 0, gathered))
        return tuple(spans)

    @property
    def bytes(self) -> int:
        """The size of all files with resources, in bytes."""
        return sum((self._folder / name).stat().st_size for name in self._files.resources)

    def reader(self) -> RowReader:
        """A reader that has counted ``error/`` and leaves out what ``deleted/`` lists."""
        reader, deleted = RowReader(), set[str]()
        reader.unread(self._files.unread)
        for name in self._files.errors:
            with (self._folder / name).open("rb") as file:
                reader.errors(name, file)
        for name in self._files.deletions:
            with (self._folder / name).open("rb") as file:
                deleted.update(reader.deletions(name, file))
        reader.deleted = frozenset(deleted)
        return reader


def batches_in(folder: Path, span: Span, reader: RowReader) -> Iterator[Any]:
    """The resources of a span as Arrow batches with the columns `RESOURCES`."""

    def rows() -> Iterator[ResourceRow]:
        for number, name in span.files:
            try:
                with (folder / name).open("rb") as file:
                    if name.endswith(".ndjson"):
                        end = span.end if len(span.files) == 1 else None
                        yield from reader.span(file, number << FILE_BITS, span.start, end)
                    else:
                        yield from reader.file(name, file, number << FILE_BITS)
            except OSError:
                reader.odd[CUT] += 1

    yield from batches_of(rows())


class ExportFiles(NamedTuple):
    """The files of an export: resources in the order of reading, errors and deletions."""

    resources: tuple[str, ...]
    errors: tuple[str, ...]
    deletions: tuple[str, ...]
    unread: tuple[str, ...]


def inner_links(folder: Path) -> frozenset[str]:
    """Symbolic links to other files in the folder, as smart-fetch makes them in its exports."""
    whole = folder.resolve()
    links = (path for path in folder.rglob("*") if path.is_symlink())
    return frozenset(
        str(link.relative_to(folder)) for link in links if link.resolve().is_relative_to(whole)
    )


def files_of(names: Iterable[str], folder: str) -> ExportFiles:
    """Sort the files below a folder by purpose. Raises BadRequest where none has resources."""
    found, unread = [], []
    for name in sorted(names):
        *above, last = name.split("/")
        if last == _LOG or any(step.startswith(".") for step in (*above, last)):
            continue
        if last.endswith(_ENDS):
            found.append((name, frozenset(above)))
        elif _DATA.search(last.lower()):
            unread.append(name)
    files = ExportFiles(
        tuple(name for name, above in found if _NOT_RESOURCES.isdisjoint(above)),
        tuple(name for name, above in found if "error" in above),
        tuple(name for name, above in found if "deleted" in above and "error" not in above),
        tuple(unread),
    )
    if not files.resources:
        raise BadRequest(
            f"{folder} has no NDJSON, JSON or Parquet file.",
            "Name the folder of an export, such as smart-fetch makes.",
            "SOURCE",
        )
    return files


def batches_of(rows: Iterable[ResourceRow]) -> Iterator[Any]:
    """Rows as Arrow batches with the columns `RESOURCES`, bounded in rows and bytes."""
    columns: list[list[Any]] = [[] for _ in RESOURCES]
    size = 0
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        size += len(row[-1])
        if len(columns[0]) >= _BATCH or size >= _BATCH_BYTES:
            yield _batch(columns)
            columns = [[] for _ in RESOURCES]
            size = 0
    if columns[0]:
        yield _batch(columns)


def _batch(columns: Iterable[list[Any]]) -> Any:
    arrow = need("pyarrow")
    schema = resources_schema()
    arrays = [arrow.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)]
    return arrow.record_batch(arrays, schema=schema)
