"""Faults, with figures: ``make faults`` (``python -m tools.faults --help``). Not in the wheel."""
