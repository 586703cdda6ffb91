"""Faults, with figures: ``make torture`` (``python -m torture --help``). Not in the wheel."""
