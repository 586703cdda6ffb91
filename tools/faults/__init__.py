"""Faults, with figures: each test here is a row of docs/reliability.md (`make faults`)."""
