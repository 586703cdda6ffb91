"""Tries out a new rule: a fresh process answers its scenario."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cds_service.errors import BadRequest

AS_OF = "2026-11-23T12:00:00+00:00"


def expected_answer(root: Path, topic: str, name: str, request: Path) -> str:
    """The response of a fresh process to the scenario, as its expected.json."""
    cards = _answer_of(root, topic, "evaluate", request)["cards"]
    if name not in [card["source"]["topic"]["code"] for card in cards]:
        rules = _answer_of(root, topic, "explain", request)["rules"]
        (own,) = [rule for rule in rules if rule["rule"] == name]
        raise BadRequest(
            f"the scenario does not show the card of the rule, whose outcome is: {own['answer']}. "
            f"{own['notShown'] or '; '.join(own['because'])}".rstrip(". ")
            + ".",
            "Choose another analyte, another hook or other orders; nothing was written.",
        )
    expected = [_expected(card, name) for card in cards]
    return json.dumps({"as_of": AS_OF, "cards": expected}, indent=2) + "\n"


def _answer_of(root: Path, topic: str, command: str, request: Path) -> Any:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CDS_")}
    with tempfile.TemporaryDirectory() as folder:
        environ |= {"CDS_TOPICS": topic, "CDS_DATABASE_URL": f"sqlite:///{folder}/records.db"}
        completed = subprocess.run(
            [sys.executable, "-m", "cds_service", command, request, "--as-of", AS_OF, "--json"],
            cwd=root,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
    if completed.returncode != 0:
        raise BadRequest(
            f"the service does not start with the rule: {completed.stderr.strip()[-600:]}",
            "Correct what the message names; nothing was written.",
        )
    return json.loads(completed.stdout)


def _expected(card: Mapping[str, Any], name: str) -> dict[str, Any]:
    rule = card["source"]["topic"]["code"]
    expected = {"rule": rule, "indicator": card["indicator"]}
    if rule != name:
        return expected
    offers = [suggestion["label"] for suggestion in card.get("suggestions", ())]
    return {**expected, "summary": card["summary"], "offers": offers}
