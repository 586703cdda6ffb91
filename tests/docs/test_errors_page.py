"""Errors by message: every message on the page is still in the code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/errors.md").read_text(encoding="utf-8")
MESSAGES = [row[1] for row in re.finditer(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)]


@cache
def _texts_of_the_code() -> str:
    """All texts in the code, one per line; inserted values are written as `…`."""
    texts = []
    for package in ("cds_service", "hooks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (
                        str(part.value) if isinstance(part, ast.Constant) else "…"
                        for part in node.values
                    )
                    texts.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return "\n".join(texts)


def test_every_message_on_the_page_occurs_in_the_code() -> None:
    texts = _texts_of_the_code()
    assert [message for message in MESSAGES if message not in texts] == []


def test_no_message_is_listed_twice_and_the_page_is_not_empty() -> None:
    assert len(MESSAGES) == len(set(MESSAGES)) > 50


def test_every_refusal_of_a_call_is_on_the_page() -> None:
    """The messages with which HTTP calls are refused, as far as they are constant."""
    named = {"BadRequest", "TooLarge", "NotFound", "MethodNotAllowed", "UnsupportedMediaType"}
    refusals = []
    service = ROOT / "cds_service"
    for path in [*(service / "api").glob("*.py"), *(service / "calls").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in named
                and node.args
                and isinstance(node.args[0], ast.Constant)
            ):
                refusals.append(str(node.args[0].value))
    assert len(refusals) > 8
    assert [refusal for refusal in refusals if f"`{refusal}`" not in PAGE] == []
