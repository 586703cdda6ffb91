"""What makes a low potassium or magnesium an arrhythmia risk.

Digoxin, QT-prolonging drugs, a long QT on the problem list, or a QTc of 500 ms or more within
30 days (an uncorrected QT counts too). The list of drugs is general knowledge, and a site may
edit it.
"""

from __future__ import annotations

from msgspec import Struct

from cds_service.core.facts import Result
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.engine.rule import Evidence, Need, conditions, medications, results
from hooks.windows import RECENT
from hooks.wording import drugs

DIGOXIN = "digoxin"
QT_PROLONGING = "qt_prolonging"
LONG_QT = "long_qt"
QTC = "qtc_interval"

NEEDS: tuple[Need, ...] = (
    medications(DIGOXIN, QT_PROLONGING).optional(),
    conditions(LONG_QT).optional(),
    results(QTC, RECENT).optional(),
)


def qt_words(interval: Result) -> str:
    """The QT interval in words, marked as uncorrected if it is."""
    if interval.method == "uncorrected":
        return f"QT {interval.reported} (uncorrected)"
    return f"QTc {interval.reported}"


class RhythmRisk(Struct, frozen=True):
    """What raises the risk of an arrhythmia, named briefly by ``words``; empty if nothing does."""

    words: str
    evidence: tuple[Evidence, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words)


def rhythm_risk(facts: Facts) -> RhythmRisk:
    """The risk of an arrhythmia as far as the record shows it."""
    return facts.derived(_rhythm_risk)


def _rhythm_risk(facts: Facts) -> RhythmRisk:
    names: list[str] = []
    evidence: list[Evidence] = []
    digoxin = facts.taking(DIGOXIN, hazard=True)
    prolonging = facts.taking(QT_PROLONGING, hazard=True)
    taken = tuple(dict.fromkeys((*digoxin, *prolonging)))
    if taken:
        names.append(drugs(taken, most=2))
        evidence += [Evidence(medication) for medication in taken]
    long_qt = facts.hazards(LONG_QT)
    if long_qt:
        names.append("long QT")
        evidence += [Evidence(condition) for condition in long_qt]
    newest = facts.newest(QTC, Worse.HIGH)
    limit = facts.limits["qtc_interval.long"]
    qtc = newest.result
    if qtc is not None and facts.within(qtc, RECENT) and qtc.at_least(limit.value) is True:
        names.append(qt_words(qtc))
        evidence.append(Evidence(qtc, limit))
    return RhythmRisk(", ".join(names), tuple(evidence))
