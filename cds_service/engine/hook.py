"""Hooks: the moments of the workflow at which a client asks.

What is different from one hook to the next is said here and nowhere else: the rest of the
service asks a `Hook` and never compares names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class InfoCards(Enum):
    """What becomes of info cards; the cards of a reviewing rule are always shown."""

    ALL = "all are shown"
    CAPPED = "as many as the site's cap allows"
    NONE = "none is shown: only hazards are shown"


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook of the CDS Hooks library.

    ``schema`` names the JSON Schema of its context (``schemas/<schema>.schema.json``).
    ``drafts`` is True where the context brings draft orders; of these, those named in
    ``context.selections`` are judged where it ``selects``, else all. ``when`` completes
    "asked when …".
    """

    name: str
    schema: str
    when: str
    drafts: bool = False
    selects: bool = False
    info_cards: InfoCards = InfoCards.ALL
    version: str = "1.0"

    def __str__(self) -> str:
        return self.name


PATIENT_VIEW = Hook(
    "patient-view", "patient-view", "a chart is opened", info_cards=InfoCards.CAPPED
)
ORDER_SELECT = Hook(
    "order-select", "order-select", "an order is selected", drafts=True, selects=True
)
ORDER_SIGN = Hook(
    "order-sign", "order-sign", "orders are signed", drafts=True, info_cards=InfoCards.NONE
)

HOOKS: Mapping[str, Hook] = {hook.name: hook for hook in (PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN)}
"""Every hook that a service can answer, by name."""
