"""What an export holds: a folder of Bulk Data (NDJSON, also compressed), of one-patient Bundles,
or of Parquet with a raw resource a row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import BadRequest
from cds_service.population.reading import CUT, Reader, Row
from cds_service.population.tables import RESOURCES, need, resources_schema

FILE_BITS = 44
"""A position is the file's number, shifted by so many bits, and the place in the file."""

_BATCH = 4096
_BATCH_BYTES = 16 << 20
_ENDS = (".ndjson", ".json", ".ndjson.gz", ".json.gz", ".parquet")
_ASIDE = frozenset({"error", "deleted"})
_LOG = "log.ndjson"  # what the exporting client did, not data
_REMOTE = re.compile(r"[a-z0-9]{2,}:/")


class Source:
    """An export on this machine. ``odd`` counts what was odd by reason, ``types`` the resources
    by type. Raises BadRequest where there is none."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            addressed = "://" in str(folder) or _REMOTE.match(str(folder))
            raise BadRequest(
                f"{folder} is not a folder.",
                "Only --engine spark reads an address."
                if addressed
                else "Name the folder of an export: NDJSON, Bundles or Parquet.",
                "SOURCE",
            )
        linked = inner_links(folder)
        names = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
        self._parts = parts_of(names - linked, str(folder))
        self._folder = folder
        self._reader = Reader()
        self.bytes = sum((folder / one).stat().st_size for one in self._parts.files)

    @property
    def odd(self) -> Counter[str]:
        """What was odd so far, by reason."""
        return self._reader.odd

    @property
    def types(self) -> Counter[str]:
        """The resources read so far, by type."""
        return self._reader.types

    @property
    def read_bytes(self) -> int:
        """How much of ``bytes`` was read so far."""
        return self._reader.read_bytes

    def batches(self) -> Iterator[Any]:
        """Arrow batches of the shape `RESOURCES`."""
        aside, gone = Reader(), set[str]()
        for name in self._parts.errors:
            with (self._folder / name).open("rb") as file:
                aside.errors(name, file)
        for name in self._parts.deletions:
            with (self._folder / name).open("rb") as file:
                gone.update(aside.deletions(name, file))
        self._reader = Reader(frozenset(gone))
        self._reader.odd.update(aside.odd)
        yield from batches_of(self._rows())

    def _rows(self) -> Iterator[Row]:
        before = 0
        for number, name in enumerate(self._parts.files):
            path = self._folder / name
            try:
                with path.open("rb") as file:
                    yield from self._reader.file(name, file, number << FILE_BITS)
            except OSError:
                self.odd[CUT] += 1
            before += path.stat().st_size
            self._reader.read_bytes = before


class Parts(NamedTuple):
    """The files of an export: resources in the order they are read, and what lies aside."""

    files: tuple[str, ...]
    errors: tuple[str, ...]
    deletions: tuple[str, ...]


def inner_links(folder: Path) -> frozenset[str]:
    """The links to what is in the folder anyway, as smart-fetch makes them for its exports."""
    whole = folder.resolve()
    links = (one for one in folder.rglob("*") if one.is_symlink())
    return frozenset(
        str(one.relative_to(folder)) for one in links if one.resolve().is_relative_to(whole)
    )


def parts_of(names: Iterable[str], folder: str) -> Parts:
    """Sort out the files below a folder. Raises BadRequest where none holds resources."""
    found = []
    for name in sorted(names):
        *above, last = name.split("/")
        if (
            last.endswith(_ENDS)
            and last != _LOG
            and not any(one.startswith(".") for one in (*above, last))
        ):
            found.append((name, frozenset(above)))
    parts = Parts(
        tuple(name for name, above in found if _ASIDE.isdisjoint(above)),
        tuple(name for name, above in found if "error" in above),
        tuple(name for name, above in found if "deleted" in above and "error" not in above),
    )
    if not parts.files:
        raise BadRequest(
            f"{folder} holds no NDJSON, JSON or Parquet file.",
            "Name the folder of an export, such as smart-fetch leaves it.",
            "SOURCE",
        )
    return parts


def batches_of(rows: Iterable[Row]) -> Iterator[Any]:
    """Rows as Arrow batches of the shape `RESOURCES`, bounded in rows and in bytes."""
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
    made = [arrow.array(one, kind) for one, kind in zip(columns, schema.types, strict=True)]
    return arrow.record_batch(made, schema=schema)
