"""The whole service with its real rules and a fixed clock."""

from __future__ import annotations

from tests.scenarios.conftest import service

__all__ = ["service"]
