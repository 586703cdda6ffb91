"""The whole service with its real rules, its clock standing still."""

from __future__ import annotations

from tests.scenarios.conftest import service

__all__ = ["service"]
