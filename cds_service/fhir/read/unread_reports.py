"""Reports that say something of an analyte, and whose results did not arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import UNSET

from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.intake.reports import conclusions, may_name_any, of_laboratory
from cds_service.fhir.read.acceptance import Acceptance
from cds_service.fhir.read.codebook import NOTHING, Codebook
from cds_service.fhir.read.opening import DatedRow, Opener, Row
from cds_service.fhir.values.elements import items, readable, reference, text
from cds_service.fhir.values.moments import read_when

REPORTED = "a report says something about it in words or in a document, which is not read"


class UnreadReports:
    """Finds what reports say of analytes; ``dated`` are the results that arrived, by analyte."""

    def __init__(
        self,
        acceptance: Acceptance,
        intake: Intake,
        book: Codebook,
        opener: Opener,
        dated: Mapping[str, Sequence[DatedRow]],
    ) -> None:
        self._acceptance = acceptance
        self._intake = intake
        self._book = book
        self._opener = opener
        self._dated = dated

    def note(self, reports: Sequence[Row]) -> None:
        """Note a problem for each report without results that says something of an analyte."""
        sent_references: set[str] | None = None
        for row in reports:
            report = readable(row.undecoded())
            if not isinstance(report, dict) or not of_laboratory(report):
                continue
            sent_references = self._results_sent() if sent_references is None else sent_references
            results = [reference(pointer) for pointer in items(report.get("result"))]
            results_sent = any(
                result in sent_references or _last_part(result) in sent_references
                for result in results
                if result
            )
            meaning = (
                NOTHING if row.peek.code is UNSET else self._book.meaning(bytes(row.peek.code))
            )
            analyte_keys = self._book.analytes_in(conclusions(report))
            if not results_sent:
                analyte_keys |= {analyte.key for analyte in meaning.analytes}
            when = read_when(self._opener.effective_time(row.peek), self._opener.zone)
            about = sorted(key for key in analyte_keys if not self._has_since(key, when))
            if not (about or analyte_keys or results_sent or meaning.other_specimen) and (
                meaning.panels or (_may_say_more(report) and may_name_any(report))
            ):
                about = [row.where.kind.value]
            for key in about:
                self._acceptance.unusable("report", REPORTED, row.peek, key, row.source)

    def _results_sent(self) -> set[str]:
        """The ids and addresses of the Observations of the call."""
        sent_references = set()
        for page in self._intake.pages:
            for index, peek in enumerate(page.peeks):
                sent_references |= {peek.id or "", text(readable(page.entry(index).fullUrl))}
        for entry in self._intake.all_of("Observation"):
            sent_references |= {_last_part(entry.source.reference), entry.full_url}
        return sent_references - {""}

    def _has_since(self, key: str, when: datetime | None) -> bool:
        """Whether a result of an analyte was sent that is from the report's day or later."""
        rows = self._dated.get(key, ())
        return when is not None and any(
            row.when >= when or row.when.date() == when.date() for row in rows
        )


def _last_part(address: str) -> str:
    """The id at the end of a reference or address, without a version."""
    return address.partition("/_history/")[0].replace(":", "/").rpartition("/")[2]


def _may_say_more(report: Mapping[str, object]) -> bool:
    """Whether a report says something apart from results that were not requested."""
    return any(report.get(name) for name in ("presentedForm", "conclusion", "conclusionCode"))
