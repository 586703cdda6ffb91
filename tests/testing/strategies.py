"""Hypothesis strategies for JSON and for FHIR-like JSON."""

from __future__ import annotations

from hypothesis import strategies as st

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
JSON = st.recursive(
    PLAIN | st.floats(allow_nan=False, allow_infinity=False),
    lambda part: (
        st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=12), part, max_size=4)
    ),
    max_leaves=25,
)
TYPES = st.sampled_from(
    ["Patient", "Observation", "Condition", "MedicationRequest", "MedicationStatement",
     "AllergyIntolerance", "ServiceRequest", "Encounter", "Bundle", "OperationOutcome", "X"]
)  # fmt: skip
RESOURCE = st.builds(
    lambda kind, more: {"resourceType": kind, "id": "r1", **more},
    TYPES,
    st.dictionaries(
        st.sampled_from(["status", "code", "subject", "effectiveDateTime", "valueQuantity", "entry",
                         "link", "medicationCodeableConcept", "medication", "issue", "birthDate",
                         "contained", "dosageInstruction", "referenceRange", "reasonCode"]),
        JSON,
        max_size=6,
    ),
)  # fmt: skip
VALUE = JSON | RESOURCE | st.builds(
    lambda entries: {"resourceType": "Bundle", "entry": entries},
    st.lists(JSON | RESOURCE.map(lambda resource: {"resource": resource}), max_size=4),
)  # fmt: skip
