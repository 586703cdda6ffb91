"""Databases with empty tables, made once, because the migrations take as long as a test."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cds_service.storage.database import open_database


def empty_sqlite(path: Path) -> str:
    """URL of an SQLite file with the tables of this program; an existing file is used as it is."""
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(_tables())
    return f"sqlite:///{path}"


@cache
def _tables() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "empty.db")
        database = open_database(f"sqlite:///{path}")
        database.migrate()
        database.close()
        return path.read_bytes()
