"""Where the shared clinical data are: beside a development checkout, or in CDS_SHARED."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_path(name: str) -> Path:
    """Path of a shared file or folder; the test that asks for it is skipped when it is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    path = Path(os.environ.get("CDS_SHARED", beside)) / name
    if not path.exists():
        pytest.skip(f"shared data not found: set CDS_SHARED to the folder that has {name}")
    return path
