"""The files in which the processes of one service count together, and their room on the disk.

The library maps them into memory. Where the disk is full, writing into a page that has no room
yet ends the process: so all the room is taken at the start, or nothing is counted.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cds_service.ops import logs

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_KINDS = ("counter", "histogram", "gauge_livesum")
"""What the library keeps in a file of its own."""
_ROOM = 256 * 1024
_ROOM_PER_SITE = 96 * 1024
"""Bytes of such a file. They hold all series there can be: labels come from closed lists."""


@contextmanager
def shared_folder() -> Iterator[None]:
    """A fresh folder in which all workers count, removed at the end.

    Where it cannot be made, or has no room, each worker counts for itself. The library looks
    for it when it is imported, so it must not have been.
    """
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix=f"cds-metrics-{os.getpid()}-")
        os.environ[FOLDER] = folder
        reserve()
    except OSError as error:
        os.environ.pop(FOLDER, None)
        logs.logger(__name__).warning("figures_by_worker", reason=error.strerror)
    try:
        yield
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def reserve(sites: int = 1) -> None:
    """Take the room that this process needs to count, now and for good.

    Does nothing where each process counts for itself. Raises OSError where there is no room.
    """
    if not os.environ.get(FOLDER):
        return
    for kind in _KINDS:
        # What is counted by site is counted up.
        size = _ROOM + (sites * _ROOM_PER_SITE if kind == "counter" else 0)
        path = Path(os.environ[FOLDER]) / f"{kind}_{os.getpid()}.db"
        try:
            with path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            path.unlink(missing_ok=True)  # half a file could not be read by the others
            raise
