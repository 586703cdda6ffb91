"""The version of the program and the commit that it was built from."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

_HERE = Path(__file__).resolve().parent.parent
_DIGITS = 12


def version_text() -> str:
    """``0.1.0 (commit 1a2b3c4d5e6f)``; the commit is that of the wheel, or of the checkout."""
    return f"{version('leg-cramps-cds')} (commit {commit() or 'unknown'})"


def commit() -> str:
    """The first digits of the commit; "" where it is unknown."""
    try:
        return (_HERE / "commit.txt").read_text("ascii").strip()[:_DIGITS]
    except OSError:
        pass
    if not (_HERE.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(_HERE.parent), "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return completed.stdout.strip()[:_DIGITS]
