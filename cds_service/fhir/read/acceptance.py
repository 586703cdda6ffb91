"""Whether a rule may read a result; one that it may not read is noted as a problem.

A result counts if it is this patient's, of blood, certain in its meaning, and of a status that
counts. Sources: FHIR R4 Observation; clinical content, section 3 ("Reading data").
"""

from __future__ import annotations

from msgspec import UNSET, Raw

from cds_service.core.facts import Kind, Problem, Source
from cds_service.fhir.intake.bundles import Intake
from cds_service.fhir.intake.entries import Entry, ObservationPage
from cds_service.fhir.read.codebook import NOTHING, Codebook, Meaning
from cds_service.fhir.read.opening import Opener, source_of
from cds_service.fhir.read.remarks import is_critical
from cds_service.fhir.read.specimens import of_another_specimen, remark_of
from cds_service.fhir.values.elements import MODIFIED, encoded, modified, part, readable, text
from cds_service.fhir.values.moments import read_when
from cds_service.fhir.values.peeks import Missing, Peek
from cds_service.fhir.values.unit_spellings import usual_spelling
from cds_service.terminology.call_texts import TooMuchTextError

COUNTS = frozenset({"final", "amended", "corrected", "preliminary"})
SILENT = frozenset({"registered", "cancelled", "entered-in-error"})
"""The statuses of results that are left out, and for which no problem is noted."""
WITHDRAWN = "entered-in-error"


class Acceptance:
    """Checks the results of one call; ``refused`` counts those of other patients."""

    def __init__(self, intake: Intake, book: Codebook, opener: Opener) -> None:
        self._intake = intake
        self._book = book
        self._opener = opener
        self._specimens: dict[str, object] | None = None  # those sent, once they are needed
        self._left_unread: set[Kind] = set()
        self.refused: dict[Kind, int] = {}

    def not_blood_by_specimen(self, peek: Peek) -> bool:
        """Whether the specimen is not blood. A remark on the specimen is added as a comment."""
        if self._specimens is None:
            self._specimens = {
                name: data
                for entry in self._intake.all_of("Specimen")
                if isinstance(data := readable(entry.raw), dict)
                for name in (entry.source.reference, entry.full_url)
            }
        if (remark := remark_of(peek, self._specimens)) and peek.comment is UNSET:
            peek.comment = Raw(encoded(remark))
        return of_another_specimen(peek, self._specimens)

    def usable(
        self, peek: Peek, meaning: Meaning, where: ObservationPage | Entry, index: int
    ) -> bool:
        """Whether a result's status and meaning are known; notes a problem if they are not."""
        if peek.status in SILENT:
            return True
        if peek.modifierExtension is not UNSET and modified(peek.modifierExtension):
            self.unusable("modified", MODIFIED, peek, meaning.about, source_of(where, index))
            return False
        if peek.status in COUNTS:
            return True
        reason = "its status is not known" if peek.status else "its status is missing"
        self.unusable("no-status", reason, peek, meaning.about, source_of(where, index))
        return False

    def unusable(self, kind: str, reason: str, peek: Peek, about: str, source: Source) -> None:
        """Note that a result cannot be used."""
        when = read_when(self._opener.effective_time(peek), self._opener.zone)
        self._intake.problems.append(Problem(kind, about, reason, source, when, is_critical(peek)))

    def unnamed(self, where: ObservationPage | Entry, index: int) -> None:
        """Note that a result does not say what was measured."""
        reason = "it has no code that can be read"
        self._intake.problem("unreadable", where.kind.value, reason, source_of(where, index))

    def checked_by_unit(
        self, peek: Peek, meaning: Meaning, where: ObservationPage | Entry, index: int
    ) -> Meaning:
        """A meaning that rests on words alone, checked by the unit: `NOTHING` if they disagree.

        If a doubt remains the result may be one that a rule needs, so a problem is noted.
        """
        quantity = None if isinstance(peek.valueQuantity, Missing) else readable(peek.valueQuantity)
        stated = (text(part(quantity, "code")), text(part(quantity, "unit")))
        units = [spelling for name in stated if name for spelling in (name, usual_spelling(name))]
        certain = meaning.kind == "other-quantity"  # whatever its unit
        # Without a unit, or with an unknown one, the words count, and a problem is noted.
        if not certain and units and not self._book.fits_units(meaning, units):
            return NOTHING if meaning.doubt or self._book.knows(units) else meaning
        if not meaning.doubt:
            return meaning
        if (units or certain) and peek.status not in SILENT:
            source = source_of(where, index)
            for about in [analyte.key for analyte in meaning.analytes] or [where.kind.value]:
                self.unusable(meaning.kind, meaning.doubt, peek, about, source)
        return NOTHING

    def other_specimen(
        self, peek: Peek, meaning: Meaning, where: ObservationPage | Entry, index: int
    ) -> None:
        """Leave out a result in urine or another fluid; a problem if its code says blood."""
        code = peek.code
        if peek.status in SILENT or isinstance(code, Missing) or not meaning.analytes:
            return
        if self._book.is_of_blood(bytes(code)):
            reason = "its specimen is not the one that its code names"
            self.unusable("specimen", reason, peek, meaning.about, source_of(where, index))

    def refuse(self, kind: Kind, reason: str, source: Source) -> None:
        """Count and note a result that is not this patient's."""
        self.refused[kind] = self.refused.get(kind, 0) + 1
        self._intake.problem("wrong-patient", kind.value, reason, source)

    def too_much(self, where: ObservationPage | Entry, source: Source) -> None:
        """Note, once for each kind of data, that not all of its texts were read."""
        if where.kind not in self._left_unread:
            self._left_unread.add(where.kind)
            reason = TooMuchTextError.reason
            self._intake.problem("too-much-text", where.kind.value, reason, source)
