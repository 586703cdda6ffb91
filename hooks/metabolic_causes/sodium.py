"""Low sodium, and the diuretics that may cause it."""

from __future__ import annotations

from cds_service.core.facts import Result
from cds_service.core.patient import Facts
from cds_service.engine.rule import Evidence, Indicator, OrderTest
from hooks.cirrhosis import DIURETICS
from hooks.metabolic_causes.cause import Cause, Judgement
from hooks.wording import drugs, named


def low(facts: Facts, result: Result) -> Judgement:
    """Sodium below the limit; critical below the critical one."""
    limit, critical = facts.limits["sodium.low"], facts.limits["sodium.critical"]
    below_limit = result.below(limit.value)
    if not below_limit:
        return None, below_limit is not None
    is_critical = result.below(critical.value) is True
    diuretics = facts.taking(*DIURETICS, hazard=True)
    must_stop = (
        diuretics
        and facts.conditions("cirrhosis")
        and result.below(facts.limits.value("sodium.diuretic")) is True
    )
    with_diuretics = f" on {drugs(diuretics, 2)}" if diuretics else ""
    if must_stop:
        review = f"In cirrhosis, discontinue the diuretics ({named(diuretics)}). "
    elif diuretics:
        review = f"Review {named(diuretics)}: a diuretic is a common cause, a thiazide above all. "
    else:
        review = ""
    urgent = "Assess today: confusion, seizures, falls. " if is_critical else ""
    action = "review the diuretic" if diuretics else "find the cause"
    return (
        Cause(
            indicator=Indicator.CRITICAL if is_critical else Indicator.WARNING,
            value=f"sodium {result.reported}",
            words=f"Sodium {result.reported}{with_diuretics}",
            action="assess today" if is_critical else action,
            advice=f"{urgent}Sodium {result.reported} is a cause of cramps. {review}"
            "Correct it slowly: too rapid a rise harms the brain.",
            evidence=(
                Evidence(result, critical if is_critical else limit),
                *(Evidence(diuretic) for diuretic in diuretics),
            ),
            tests=(OrderTest("sodium", "repeat the low value"),),
        ),
        True,
    )
