"""The benchmark: ``make bench`` (``python -m bench --help``). Not a part of the wheel."""
