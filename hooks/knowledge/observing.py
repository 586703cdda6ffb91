"""What Observations say besides results: pregnancy, and by which method a result was obtained."""

from __future__ import annotations

from datetime import timedelta

from cds_service.core.observing import ObservedCondition, Observing

# A status or test result, coded or in one of the usual words, is valid for 42 weeks: no pregnancy
# lasts longer. A due date is valid until two weeks after it.
PREGNANCY = ObservedCondition(
    key="pregnancy_status",
    condition="pregnancy",
    name="Pregnancy",
    yes_codes=frozenset(
        {
            "77386006",  # pregnant
            "LA15173-0",
            "10828004",  # positive
            "LA6576-8",
            "POS",
            "260373001",  # detected
            "LA11882-0",
            "52101004",  # present
            "LA9633-4",
            "11214006",  # reactive
        }
    ),
    yes_words=frozenset(
        {
            "pregnant", "positive", "yes", "pregnancy", "currently pregnant", "pos", "detected",
            "present", "reactive", "weakly positive", "weak positive", "faint positive", "positiv",
            "positif", "positivo", "positief",
        }
    ),
    no_words=frozenset(
        {
            "not pregnant", "negative", "no", "neg", "not detected", "absent", "nonreactive",
            "non-reactive", "negativ", "negatif", "négatif", "negativo", "negatief",
        }
    ),
    unsure_codes=frozenset(
        {
            "LA4489-6", "UNK", "261665006", "152231000119106", "82334004", "LA11884-6", "IND",
            "419984006",
        }
    ),
    unsure_words=frozenset(
        {
            "unknown", "possible pregnancy", "possible", "not known", "indeterminate", "equivocal",
            "inconclusive", "invalid", "borderline",
        }
    ),
    lasts=timedelta(days=294),
    overdue=timedelta(days=14),
)  # fmt: skip

OBSERVING = Observing(
    # By which equation an eGFR was computed, as far as its code says; an uncorrected QT interval.
    methods={
        "egfr_race_free_2021": "race_free_2021",
        "egfr_race_coefficient": "race_coefficient",
        "qt_uncorrected": "uncorrected",
        "egfr": "other",
    },
    instead={
        "creatinine_clearance": ("egfr", "it is a creatinine clearance, which is not an eGFR"),
        "gfr_measured": ("egfr", "it is a measured filtration rate, which is not an eGFR"),
    },
    conditions=(PREGNANCY,),
)
