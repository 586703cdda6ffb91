"""A second topic, small but complete: severe hyponatraemia when a chart is opened.

It brings its own analyte, limit, reference, order and rule, and shares nothing with leg cramps.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cds_service.core.analytes import Analyte
from cds_service.core.knowledge import Limit, Limits, Reference
from cds_service.core.patient import Facts
from cds_service.core.quantities import Unit
from cds_service.core.series import Worse
from cds_service.core.times import days
from cds_service.engine.hook import PATIENT_VIEW
from cds_service.engine.not_checked import not_checked
from cds_service.engine.orderables import Orderable
from cds_service.engine.rule import (
    Answer,
    CannotTell,
    Evidence,
    Finding,
    Indicator,
    NotFired,
    OrderTest,
    Tier,
    orders,
    results,
    rule,
)
from cds_service.engine.topic import Knowledge, Option, Service, Topic, Vocabularies
from cds_service.terminology.codelists import CodeList, Name, read_codes, read_names
from cds_service.terminology.codes import LOINC, Coding
from cds_service.terminology.vocabulary import TextUse, Vocabulary

MONTH = days(30)
_HEAD = "system,code,display,verified,source\n"
_CODES = read_codes(
    _HEAD + f"{LOINC},2951-2,Sodium [Moles/volume] in Serum or Plasma,true,LOINC\n",
    "sodium.csv",
    "serum_sodium",
    False,
)
_NAMES = read_names("concept,kind,pattern,note\nserum_sodium,exact,sodium,\n", "names.csv")


def _vocabulary(lists: tuple[CodeList, ...] = (), names: tuple[Name, ...] = ()) -> Vocabulary:
    return Vocabulary(lists, names, TextUse.WHEN_NO_CODE_FITS)


_MMOL = Unit("mmol/L", Fraction(1), Fraction(0))
SODIUM = Analyte(
    key="serum_sodium",
    name="Sodium",
    canonical="mmol/L",
    units={"mmol/L": _MMOL, "meq/L": _MMOL, "mEq/L": _MMOL},
    plausible=(Decimal(90), Decimal(200)),
    decimals=0,
)
_SOURCE = Reference(
    key="hyponatraemia-judgement",
    label="Judgement of the test topic",
    citation="A judgement of the test topic.",
    kind="judgement",
    url="",
    checked=date(2026, 11, 27),
)
_LIMIT = Limit(
    key="serum_sodium.severe",
    value=Decimal(125),
    unit="mmol/L",
    reference=_SOURCE.key,
    checked=date(2026, 11, 27),
    meaning="below: severe hyponatraemia",
)


def limits(given: Mapping[str, Any] | None, _where: str) -> Limits:
    """The limits of this topic; a site's entry replaces the number."""
    value = Decimal(str(given[_LIMIT.key]["value"])) if given else _LIMIT.value
    from dataclasses import replace

    return Limits({_LIMIT.key: replace(_LIMIT, value=value, overridden=given is not None)})


@rule(
    id="severe-hyponatraemia",
    title="Severe hyponatraemia",
    version="1.0.0",
    changed="2026-11-27",
    tier=Tier.ALWAYS,
    references=[_SOURCE.key],
    limits=[_LIMIT.key],
    offers=["serum_sodium"],
    needs=[results("serum_sodium", MONTH), orders("serum_sodium")],
)
def severe_hyponatraemia(facts: Facts) -> Answer:
    """A sodium below the limit within 30 days fires."""
    result = facts.newest("serum_sodium", Worse.LOW).result
    if result is None or not facts.within(result, MONTH):
        return CannotTell(("no sodium result in the last 30 days",))
    limit = facts.limits[_LIMIT.key]
    if result.below(limit.value) is not True:
        return NotFired("sodium is not below its limit", (Evidence(result, limit),))
    reported = result.reported
    if facts.site.options.get("sodium_unit") == "meq":
        reported = reported.replace("mmol/L", "mEq/L")
    return Finding(
        indicator=Indicator.WARNING,
        summary=f"Severe hyponatraemia: {reported}. Assess today",
        advice=("Assess today; correct slowly.",),
        evidence=(Evidence(result, limit),),
        suggestions=(OrderTest("serum_sodium", "repeat"),),
    )


TOPIC = Topic(
    key="hyponatraemia",
    title="Hyponatraemia",
    services=(
        Service(
            id="hyponatraemia-patient-view",
            hook=PATIENT_VIEW,
            title="Hyponatraemia",
            description="Reports severe hyponatraemia when the chart is opened.",
            rules=(
                severe_hyponatraemia,
                not_checked(
                    "hyponatraemia-not-checked", [severe_hyponatraemia], reference=_SOURCE.key
                ),
            ),
        ),
    ),
    knowledge=Knowledge(
        vocabularies=Vocabularies(
            conditions=_vocabulary(),
            medications=_vocabulary(),
            observations=_vocabulary((_CODES,), tuple(_NAMES)),
            orders=_vocabulary((_CODES,), tuple(_NAMES)),
            allergies=_vocabulary(),
        ),
        analytes={SODIUM.key: SODIUM},
        limits=limits,
        references={_SOURCE.key: _SOURCE},
        orderables={
            "serum_sodium": Orderable(
                key="serum_sodium",
                label="Sodium, serum",
                codes=(Coding(LOINC, "2951-2", "Sodium [Moles/volume] in Serum or Plasma"),),
                covers=frozenset({"serum_sodium"}),
            )
        },
        codes=lambda _analyte: (Coding(LOINC, "2951-2"),),
        complaint=lambda _facts: False,
    ),
    options=(
        Option(
            name="sodium_unit",
            title="Unit on cards",
            description="The unit of sodium on the cards of hyponatraemia.",
            choices=(("mmol", "mmol/L"), ("meq", "mEq/L")),
        ),
    ),
)
