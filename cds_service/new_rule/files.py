"""The files of a new rule: written together, or not at all."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def text_of(path: Path) -> str:
    """The text of a file; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write the files, and the folders that they are in."""
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def restore(before: Mapping[Path, bytes | None]) -> None:
    """Restore what the files contained; remove those that did not exist, and empty folders."""
    for path, content in before.items():
        if content is not None:
            path.write_bytes(content)
            continue
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def format_python(paths: Any) -> None:
    """Format the files, in an environment that has the formatter."""
    if importlib.util.find_spec("ruff") is not None:
        subprocess.run(
            [sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache", *map(str, paths)],
            check=False, capture_output=True,
        )  # fmt: skip
