"""The files in which the processes of one service count together, and their disk space.

The library maps them into memory. On a full disk, writing to a page that has no space yet kills
the process: so all the space is reserved at the start, or nothing is counted.

A service that is killed cannot remove its folder: the next one does. The kernel says whether a
service still runs, by the lock that its processes hold: unlike the id of a process, this also holds
for containers that share a temporary folder.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cds_service.ops import logs

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_KINDS = ("counter", "histogram", "gauge_livesum")
"""The kinds of metrics for which the library has a file each."""
_ROOM = 256 * 1024
_ROOM_PER_SITE = 96 * 1024
"""Bytes of such a file: enough for all possible series, because labels are from closed lists."""

_PREFIX = "cds-metrics-"
_LOCK = "in-use"
"""The file in the folder that every process of the service holds locked."""
_SETTLED_S = 60.0
"""A lock file of fewer seconds may belong to a service that has not locked it yet."""


@contextmanager
def shared_folder() -> Iterator[None]:
    """A new folder in which all workers count, removed at the end.

    Where it cannot be created or has no space, each worker counts for itself. The library looks
    for the folder when it is imported, so this must run before that. What services of the same
    user left behind that were killed is removed first.
    """
    folder, lock = "", -1
    with suppress(OSError):
        _remove_left_behind(Path(tempfile.gettempdir()))
    try:
        folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")
        # Workers are forked and keep it open, so that it is locked until the last of them ends.
        lock = os.open(Path(folder) / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        if lock >= 0:
            os.close(lock)


def _remove_left_behind(folder: Path) -> None:
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.startswith(_PREFIX)]
    for entry in found:
        with suppress(OSError):  # not ours, without a lock file, or in use
            status = entry.stat(follow_symlinks=False)
            if status.st_uid != os.getuid() or not entry.is_dir(follow_symlinks=False):
                continue
            lock = os.open(Path(entry.path) / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if time.time() - os.fstat(lock).st_mtime >= _SETTLED_S:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(entry.path, ignore_errors=True)
            finally:
                os.close(lock)


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
