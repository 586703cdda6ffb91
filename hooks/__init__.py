"""Leg cramps: the workup and management of a patient with leg cramps, as a topic."""

from __future__ import annotations

from cds_service.engine.hook import ORDER_SELECT, ORDER_SIGN, PATIENT_VIEW
from cds_service.engine.topic import Knowledge, Service, Topic
from hooks import cramps, egfr, order_select, order_sign, patient_view, priorities
from hooks.knowledge.files import FOLDER
from hooks.knowledge.observing import OBSERVING
from hooks.knowledge.options import OPTIONS

TOPIC = Topic(
    key="leg-cramps",
    title="Leg cramps",
    purpose="the workup and management of leg cramps",
    example="quinine-active",
    services=(
        Service(
            id="leg-cramps-patient-view",
            hook=PATIENT_VIEW,
            title="Leg cramps: workup and management",
            description="Reviews a patient's laboratory results, conditions and medications when "
            "the chart is opened, and points out what matters for leg cramps: low magnesium or "
            "potassium, anaemia, low ferritin, cirrhosis, quinine, and magnesium in renal "
            "impairment. Decision support for clinicians; it does not replace their judgement.",
            rules=patient_view.RULES,
        ),
        Service(
            id="leg-cramps-order-select",
            hook=ORDER_SELECT,
            title="Leg cramps: checks of the orders being made",
            description="Checks the orders just selected that are used for leg cramps (quinine, "
            "magnesium and others), and warns if they may harm this patient or are unlikely to "
            "help. Decision support for clinicians; it does not replace their judgement.",
            rules=order_select.RULES,
        ),
        Service(
            id="leg-cramps-order-sign",
            hook=ORDER_SIGN,
            title="Leg cramps: hazards among the orders being signed",
            description="Checks every order about to be signed that is used for leg cramps "
            "(quinine, magnesium, potassium, baclofen, albumin), and warns if it may harm this "
            "patient, on its own or together with another of the orders. Decision support for "
            "clinicians; it does not replace their judgement.",
            rules=order_sign.RULES,
        ),
    ),
    knowledge=Knowledge(
        vocabularies=FOLDER.vocabularies,
        analytes=FOLDER.analytes,
        limits=FOLDER.limits,
        references=FOLDER.references,
        orderables=FOLDER.orderables,
        codes=FOLDER.codes,
        complaint=cramps.documented,
        complaint_is="leg cramps are",
        computed={"egfr": egfr.newest_egfr},
        priorities=priorities.PRIORITIES,
        observing=OBSERVING,
    ),
    options=OPTIONS,
)
"""The topic that the entry point ``leg-cramps`` refers to."""
