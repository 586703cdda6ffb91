"""The benchmark: ``make bench`` (``python -m tools.bench --help``). Not a part of the wheel."""
