"""The reasons that a clinician may give for not following a card."""

from __future__ import annotations

from collections.abc import Mapping

OVERRIDES: Mapping[str, str] = {
    "cds-not-applicable": "Does not apply to this patient",
    "cds-suboptimal-context": "Wrong moment in the workflow",
    "recipient-disagrees-evidence": "Disagree with the evidence",
    "recipient-concerns-outcomes": "Concerned about the outcome",
    "does-not-align-preferences": "Not what the patient or clinician prefers",
    "not-convenient-feasible": "Not convenient or feasible",
    "action-completed": "Already done",
    "patient-contraindication": "Contraindicated for this patient",
    "patient-refuses": "Patient declines",
    "too-costly-uncovered": "Too costly or not covered",
    "service-not-available": "Service not available",
    "recipient-does-not-understand": "The advice is not clear",
}
"""The labels of the codes of http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes."""
