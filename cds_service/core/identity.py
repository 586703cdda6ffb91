"""Whose a call, a card or its feedback is: this keeps hospitals and patients apart everywhere."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_SITE = "default"


class Origin(NamedTuple):
    """The caller: the issuer and tenant of the token (empty where anybody may call), and the
    site whose settings apply."""

    issuer: str = ""
    tenant: str = ""
    site: str = DEFAULT_SITE


ANYBODY = Origin()
"""The origin that all callers share where anybody may call."""

DEMO_SITE = "demo"
DEMO = Origin(site=DEMO_SITE)
"""The demo page: its calls are counted separately, and appear in no report but its own."""


class Identity(NamedTuple):
    """One patient of one caller. Two servers may both have a patient with id 7.

    Only its keyed digest is kept beyond a call.
    """

    origin: Origin
    fhir_server: str
    patient: str
