"""The benchmark: ``make bench`` (``python -m tools.bench --help``). Not a part of the wheel."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = CHECKOUT / ".bench"
"""What the benchmark installs, and files that other roots (``tools/newer_python``) must see."""
HOME.mkdir(exist_ok=True)
