"""Writes the commit into the wheel, so that ``cds-service --version`` can say it."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    """Adds ``cds_service/commit.txt`` to the wheel where the commit is known."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is built. ``CDS_COMMIT`` says it where there is no repository."""
        commit = os.environ.get("CDS_COMMIT", "") or _head(self.root)
        if version == "editable" or not commit:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
            file.write(commit)
        self._written = Path(file.name)
        build_data["force_include"][file.name] = "cds_service/commit.txt"

    def finalize(self, *_: object) -> None:
        """Called when the wheel is written."""
        if hasattr(self, "_written"):
            self._written.unlink(missing_ok=True)


def _head(root: str) -> str:
    asked = ["git", "-C", root, "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
