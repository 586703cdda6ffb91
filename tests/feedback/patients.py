"""Patients of callers, for tests of card ids."""

from __future__ import annotations

from cds_service.core.identity import ANYBODY, Identity, Origin


def patient(name: str = "p1", server: str = "", origin: Origin = ANYBODY) -> Identity:
    return Identity(origin, server, name)
