"""High creatine kinase: the limits are lower for a patient who takes a statin."""

from __future__ import annotations

from decimal import Decimal

from cds_service.core.facts import Result
from cds_service.core.patient import Facts
from cds_service.engine.rule import Evidence, Indicator, OrderTest
from hooks.metabolic_causes.cause import Cause, Judgement
from hooks.wording import drugs, named


def high(facts: Facts, result: Result) -> Judgement:
    """Creatine kinase above a multiple of its upper limit; critical above a higher multiple."""
    upper, own_range = _upper_limit(facts, result)

    def above(key: str) -> bool | None:
        return result.value.above(upper * facts.limits.value(key))

    raised = above("multiple.creatine_kinase")
    if not raised:
        return None, raised is not None
    statins = facts.taking("statin", hazard=True)
    key = "multiple.creatine_kinase_statin" if statins else "multiple.creatine_kinase_critical"
    is_critical = above(key) is True
    with_statin = f" on {drugs(statins)}" if statins else ""
    stop_statin = f"Stop the statin ({named(statins)}). " if statins else ""
    return (
        Cause(
            indicator=Indicator.CRITICAL if is_critical else Indicator.WARNING,
            value=f"CK {result.reported}",
            words=f"CK {result.reported}{with_statin}",
            action="stop statin, look for rhabdomyolysis" if statins else "look for rhabdomyolysis",
            advice=f"{stop_statin}Look for rhabdomyolysis: creatinine, potassium, urine (dark, or "
            "positive for blood without red cells).",
            evidence=(
                Evidence(
                    result,
                    facts.limits[key if is_critical else "multiple.creatine_kinase"],
                    own_range,
                ),
                *(Evidence(statin) for statin in statins),
            ),
            tests=(
                OrderTest("creatine_kinase", "repeat the high value"),
                OrderTest("creatinine", "kidney injury from muscle breakdown"),
                OrderTest("potassium", "muscle breakdown releases potassium"),
            ),
        ),
        True,
    )


def _upper_limit(facts: Facts, result: Result) -> tuple[Decimal, bool]:
    """The upper limit of creatine kinase in the result's unit: the laboratory's own, else 200."""
    if result.range_high is not None and result.range_high > 0:
        return result.range_high, True
    limit = facts.limits.value("creatine_kinase.upper")
    return result.unit.from_canonical(limit, max(result.decimals, 2)), False
