"""High TSH, a sign of hypothyroidism."""

from __future__ import annotations

from cds_service.core.facts import Result
from cds_service.core.patient import Facts
from cds_service.engine.rule import Evidence, Indicator, OrderTest
from hooks.metabolic_causes.cause import Cause, Judgement


def high(facts: Facts, result: Result) -> Judgement:
    """TSH above the limit, which is info whatever its value."""
    limit = facts.limits["tsh.high"]
    raised = result.above(limit.value)
    if not raised:
        return None, raised is not None
    return (
        Cause(
            indicator=Indicator.INFO,
            value=f"TSH {result.reported}",
            words=f"TSH {result.reported}",
            action="hypothyroidism can cause cramps",
            advice="TSH above 10: hypothyroidism can cause cramps and raise creatine kinase. "
            "Repeat it with free thyroxine before treatment.",
            evidence=(Evidence(result, limit),),
            tests=(OrderTest("tsh", "repeat the high value"),),
        ),
        True,
    )
