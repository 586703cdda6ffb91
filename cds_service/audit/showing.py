"""Reconstructs a card from the audit trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cds_service.audit.sealing import open_sealed


def reconstructed(
    row: Mapping[str, Any], card: str, private: X25519PrivateKey | None
) -> dict[str, Any]:
    """Everything that ``row`` (from `trail.find`) says about the card, as plain values.

    ``said`` is the card as it was sent and ``evidence`` what it was based on; both are None
    without the private key, or where the row has only digests. Raises BadRequest for a wrong key.
    """
    content = json.loads(row["content"])
    details: dict[str, Any] = {
        name: row[name]
        for name in ("record", "at", "site", "topic", "service", "caller", "clinician", "patient")
    }
    details |= {name: content[name] for name in ("instance", "limits", "problems", "rules")}
    details["notShown"] = content["notShown"]
    details["card"] = next(entry for entry in content["cards"] if entry["card"] == card)
    details["sealed"] = row["sealed"] is not None
    details["said"] = details["evidence"] = None
    if private is not None and row["sealed"] is not None:
        for entry in json.loads(open_sealed(row["sealed"], row["record"], private)):
            if entry["card"]["uuid"] == card:
                details["said"], details["evidence"] = entry["card"], entry["evidence"]
    return details


def as_text(details: Mapping[str, Any]) -> str:
    """The result of `reconstructed` as text, with the card in full."""
    card, said = details["card"], details["said"]
    lines = [
        f"{details['at']}  {details['service']}  site {details['site']}",
        f"rule {card['rule']} {card['version']}, {card['indicator']}; limits {details['limits']}",
        f"caller {details['caller']}, clinician {details['clinician']}, "
        f"patient {details['patient']}",
    ]
    if said is None:
        state = "encrypted: give the private key (--key)" if details["sealed"] else "not recorded"
        return "\n".join([*lines, f"What the card said is {state}."])
    lines += ["", f"[{said['indicator']}] {said['summary']}", "", str(said.get("detail", ""))]
    for suggestion in said.get("suggestions", ()):
        lines.append(f"\nSuggestion: {suggestion['label']}")
        lines += [f"- {action.get('description', '')}" for action in suggestion["actions"]]
    lines += ["", f"Source: {said['source']['label']}", "", "Evidence:"]
    lines += [f"- {fact['said']}" for fact in details["evidence"]]
    return "\n".join(lines)
