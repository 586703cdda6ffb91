"""Reconstructs a card from the audit trail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cds_service.audit.sealing import opened


def shown(row: Mapping[str, Any], card: str, private: X25519PrivateKey | None) -> dict[str, Any]:
    """Everything that ``row`` (from `trail.find`) says about the card, as plain values.

    ``said`` is the card as it was sent and ``evidence`` what it was based on; both are None
    without the private key, or where the row has only digests. Raises BadRequest for a wrong key.
    """
    content = json.loads(row["content"])
    found: dict[str, Any] = {
        name: row[name]
        for name in ("record", "at", "site", "topic", "service", "caller", "clinician", "patient")
    }
    found |= {name: content[name] for name in ("instance", "limits", "problems", "rules")}
    found["notShown"] = content["notShown"]
    found["card"] = next(one for one in content["cards"] if one["card"] == card)
    found["sealed"] = row["sealed"] is not None
    found["said"] = found["evidence"] = None
    if private is not None and row["sealed"] is not None:
        for one in json.loads(opened(row["sealed"], row["record"], private)):
            if one["card"]["uuid"] == card:
                found["said"], found["evidence"] = one["card"], one["evidence"]
    return found


def printed(found: Mapping[str, Any]) -> str:
    """The result of `shown` as text, with the card in full."""
    card, said = found["card"], found["said"]
    lines = [
        f"{found['at']}  {found['service']}  site {found['site']}",
        f"rule {card['rule']} {card['version']}, {card['indicator']}; limits {found['limits']}",
        f"caller {found['caller']}, clinician {found['clinician']}, patient {found['patient']}",
    ]
    if said is None:
        state = "encrypted: give the private key (--key)" if found["sealed"] else "not recorded"
        return "\n".join([*lines, f"What the card said is {state}."])
    lines += ["", f"[{said['indicator']}] {said['summary']}", "", str(said.get("detail", ""))]
    for suggestion in said.get("suggestions", ()):
        lines.append(f"\nSuggestion: {suggestion['label']}")
        lines += [f"- {action.get('description', '')}" for action in suggestion["actions"]]
    lines += ["", f"Source: {said['source']['label']}", "", "Evidence:"]
    lines += [f"- {one['said']}" for one in found["evidence"]]
    return "\n".join(lines)
