"""The files in which the processes of one service count together, and their disk space.

The library maps them into memory. On a full disk, writing to a page that has no space yet kills
the process: so all the space is reserved at the start, or nothing is counted.
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
"""The kinds of metrics for which the library has a file each."""
_ROOM = 256 * 1024
_ROOM_PER_SITE = 96 * 1024
"""Bytes of such a file: enough for all possible series, because labels are from closed lists."""


@contextmanager
def shared_folder() -> Iterator[None]:
    """A new folder in which all workers count, removed at the end.

    Where it cannot be created or has no space, each worker counts for itself. The library looks
    for the folder when it is imported, so this must run before that.
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
    """Reserve the disk space that this process needs to count for ``sites`` sites.

    Does nothing where each process counts for itself. Raises OSError where there is no space.
    """
    if not os.environ.get(FOLDER):
        return
    for kind in _KINDS:
        # Only counters are counted by site.
        size = _ROOM + (sites * _ROOM_PER_SITE if kind == "counter" else 0)
        path = Path(os.environ[FOLDER]) / f"{kind}_{os.getpid()}.db"
        try:
            with path.open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            path.unlink(missing_ok=True)  # the other processes could not read half a file
            raise
