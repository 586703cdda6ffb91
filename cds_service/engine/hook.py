"""Hooks: the moments of the workflow at which a client calls.

Every difference between hooks is defined here and nowhere else: the rest of the service asks a
`Hook` and never compares names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class InfoCards(Enum):
    """How many info cards are shown; the card of a reviewing rule is always shown."""

    ALL = "all are shown"
    CAPPED = "as many as the site's cap allows"
    NONE = "none are shown: only hazards are"


@dataclass(frozen=True, slots=True)
class Hook:
    """One hook of the CDS Hooks library.

    ``schema`` names the JSON Schema of its context (``schemas/<schema>.schema.json``).
    ``drafts`` is True where the context has draft orders. With ``selects`` those named in
    ``context.selections`` are judged, else all of them. ``when`` completes "called when …", and is
    what the demo page says of it.
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

    @property
    def module(self) -> str:
        """The module in the package of a topic that lists its rules: ``order_select``."""
        return self.name.replace("-", "_")


PATIENT_VIEW = Hook(
    "patient-view", "patient-view", "the chart is opened", info_cards=InfoCards.CAPPED
)
ORDER_SELECT = Hook(
    "order-select", "order-select", "orders are selected", drafts=True, selects=True
)
ORDER_SIGN = Hook(
    "order-sign", "order-sign", "orders are signed", drafts=True, info_cards=InfoCards.NONE
)

HOOKS: Mapping[str, Hook] = {hook.name: hook for hook in (PATIENT_VIEW, ORDER_SELECT, ORDER_SIGN)}
"""Every hook that a service can have, by name."""
