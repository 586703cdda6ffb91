"""The options of leg cramps, which sites set for themselves."""

from __future__ import annotations

from cds_service.engine.topic import Option

OPTIONS = (
    Option(
        name="cramps",
        title="Leg cramps are",
        description="Whether leg cramps must be documented, or are assumed for every patient.",
        choices=(("documented", "taken from the record"), ("assumed", "assumed in every patient")),
    ),
    Option(
        name="jurisdiction",
        title="Licensing of quinine",
        description="The country whose licensing decides how quinine is judged.",
        choices=(("us", "United States"), ("uk", "United Kingdom")),
    ),
)
