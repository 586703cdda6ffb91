"""The options of leg cramps, which sites set for themselves."""

from __future__ import annotations

from cds_service.engine.topic import Option

OPTIONS = (
    Option(
        name="cramps",
        title="Leg cramps must be",
        description="Whether leg cramps must be documented, or are assumed for every patient.",
        choices=(("documented", "documented"), ("assumed", "assumed for every patient")),
    ),
    Option(
        name="jurisdiction",
        title="Licensing of quinine",
        description="The country whose licensing decides how quinine is judged.",
        choices=(("us", "United States"), ("uk", "United Kingdom")),
    ),
)
