"""Which cards are kept under the cap, and which are not shown with a critical one.

Source: clinical content, section 4 (a judgement of this project): hazards first, then
findings, work-up and advice; with a critical card no advice card is shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.core.facts import Result
from cds_service.engine.arranging import Findings, Priorities, Priority
from cds_service.engine.rule import Finding, Indicator, OrderTest

BY_RULE: Mapping[str, Priority] = {
    **dict.fromkeys(
        (
            "high-potassium",
            "magnesium-in-renal-impairment",
            "analgesic-use",
            "baclofen-active-renal-impairment",
        ),
        Priority.HAZARD,
    ),
    **dict.fromkeys(
        (
            "low-magnesium",
            "low-potassium",
            "low-ferritin",
            "anemia",
            "metabolic-cause-found",
            "cirrhosis-cramps",
            "claudication-mimic",
            "neuropathy-mimic",
            "dvt-mimic",
            "cramp-inducing-medication",
            "specialist-referral",
        ),
        Priority.FINDING,
    ),
    **dict.fromkeys(
        ("electrolytes-not-checked", "ferritin-not-checked", "diabetes-not-screened"),
        Priority.WORKUP,
    ),
}

_NOT_WITH_CRITICAL = (
    "first-line-measures",
    "diabetes-not-screened",
    "ferritin-not-checked",
    "restless-legs-mimic",
    "magnesium-not-indicated",
)
_ELECTROLYTES = frozenset({"potassium", "magnesium"})
_ELECTROLYTE_ANALYTES = _ELECTROLYTES | {"calcium", "calcium_ionized"}
_WITHHELD = "advice is not shown beside a critical card"


def withheld(findings: Findings) -> Mapping[str, str]:
    """The advice that gives way to a critical card, by rule id, with the reason."""
    critical = [
        (rule, finding) for rule, finding in findings if finding.indicator is Indicator.CRITICAL
    ]
    if not critical:
        return {}
    reasons = dict.fromkeys(_NOT_WITH_CRITICAL, _WITHHELD)
    about_electrolytes = any(
        rule.id == "quinine-active" or _rests_on_electrolytes(finding) for rule, finding in critical
    )
    if about_electrolytes and any(
        rule.id == "electrolytes-not-checked" and _offers_only_electrolytes(finding)
        for rule, finding in findings
    ):
        reasons["electrolytes-not-checked"] = "the critical card asks for potassium and magnesium"
    fired = {rule.id for rule, _ in findings}
    return {rule: reason for rule, reason in reasons.items() if rule in fired}


def _rests_on_electrolytes(finding: Finding) -> bool:
    return any(
        isinstance(evidence.fact, Result) and evidence.fact.analyte.key in _ELECTROLYTE_ANALYTES
        for evidence in finding.evidence
    )


def _offers_only_electrolytes(finding: Finding) -> bool:
    offers = {
        suggestion.key for suggestion in finding.suggestions if isinstance(suggestion, OrderTest)
    }
    return bool(offers) and offers <= _ELECTROLYTES


PRIORITIES = Priorities(BY_RULE, withheld)
