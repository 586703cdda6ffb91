"""Files that commands write and that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from cds_service.errors import BadRequest


def new_private_file(path: Path) -> TextIO:
    """A new text file (UTF-8), private from its first byte.

    Raises BadRequest where the file exists or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        raise BadRequest(
            f"{path} already exists.", "Name another file with --out.", "--out"
        ) from None
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}.", "", "--out") from None
    return open(descriptor, "w", encoding="utf-8")  # noqa: PTH123  # opens a descriptor
