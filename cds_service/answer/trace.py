"""The trace of one call as JSON: every rule's outcome and the data behind it.

For ``cds-service explain`` and the demo page. It has patient data, so it is never logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cds_service.answer.answering import AnsweredCall
from cds_service.answer.evidence import evidence_line
from cds_service.engine.rule import Finding, Outcome


def as_json(answered: AnsweredCall) -> dict[str, Any]:
    """``data`` (the state of each kind), ``rules``, ``problems`` and ``refusedByModels``."""
    return {
        "data": [
            {
                "kind": kind.value,
                "state": available.state.value,
                "reason": available.reason,
                "origin": delivery.origin,
            }
            for kind, delivery in answered.deliveries.items()
            for available in (answered.facts.availability(kind),)
        ],
        "rules": [
            {
                "rule": traced.rule,
                "version": traced.version,
                "answer": traced.answer,
                "because": list(traced.because),
                "evidence": [evidence_line(evidence) for evidence in outcome.answer.evidence],
                "missing": _missing(outcome),
                "notShown": traced.left_out,
            }
            for traced, outcome in zip(answered.trace, answered.outcomes, strict=True)
        ],
        "problems": [
            {
                "kind": problem.kind,
                "about": problem.about,
                "reason": problem.reason,
                "reference": problem.source.reference,
            }
            for problem in dict.fromkeys((*answered.problems, *_unusable(answered)))
        ],
        "refusedByModels": dict(answered.refused),
    }


def joined(traces: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The traces of several services for one call as one; what they share is listed once."""
    first, *others = traces
    for trace in others:
        for name in ("data", "problems"):
            first[name] += [entry for entry in trace[name] if entry not in first[name]]
        first["rules"] += trace["rules"]
        first["refusedByModels"] |= trace["refusedByModels"]
    return first


def _missing(outcome: Outcome) -> list[str]:
    return list(outcome.answer.missing) if isinstance(outcome.answer, Finding) else []


def _unusable(answered: AnsweredCall) -> list[Any]:
    """Problems of all results; the rules have read only those that they needed."""
    from cds_service.core.series import Worse

    seen: dict[str, Any] = {}
    for key in answered.facts.series:
        for problem in answered.facts.newest(key, Worse.LOW).unusable:
            seen.setdefault(f"{problem.source.reference} {problem.kind}", problem)
    return list(seen.values())
