"""What a result that is far from normal says: how severe it is, and what to do about it."""

from __future__ import annotations

from msgspec import Struct

from cds_service.engine.rule import Evidence, Indicator, OrderTest


class Cause(Struct, frozen=True):
    """One finding: its severity, the value, what to do, and what to measure again."""

    indicator: Indicator
    value: str
    words: str
    action: str
    advice: str
    evidence: tuple[Evidence, ...]
    tests: tuple[OrderTest, ...]


Judgement = tuple[Cause | None, bool]
"""The cause that a result shows, and whether the result was conclusive."""
