"""Whose a call, an answer or a card is: what keeps hospitals and patients apart everywhere."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_SITE = "default"


class Origin(NamedTuple):
    """Who calls: the issuer and tenant of the token (empty where everybody may call), and the
    site whose settings apply."""

    issuer: str = ""
    tenant: str = ""
    site: str = DEFAULT_SITE


ANYBODY = Origin()
"""The one identity of all callers where anybody may call."""

DEMO_SITE = "demo"
DEMO = Origin(site=DEMO_SITE)
"""The demo page: what is tried there is counted apart, and in no report but its own."""


class Identity(NamedTuple):
    """One patient of one caller. Two servers may both have a patient 7.

    Only its keyed digest outlives a call.
    """

    origin: Origin
    fhir_server: str
    patient: str
