"""The file that overrides clinical limits (``CDS_LIMITS``, or ``limits`` of a site)."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from cds_service.core.knowledge import KnowledgeError


def read_limits(path: str) -> dict[str, Any]:
    """The entries of a TOML or JSON file by limit key; numbers stay text.

    Raises KnowledgeError naming the file.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path}: cannot be read ({type(error).__name__})") from None
    try:
        content: Any = (
            json.loads(text, parse_float=str)
            if path.endswith(".json")
            else tomllib.loads(text, parse_float=str)
        )
    except ValueError as error:
        raise KnowledgeError(f"{path}: is neither TOML nor JSON: {error}") from None
    if not isinstance(content, dict):
        raise KnowledgeError(f"{path}: must be an object with the keys of limits as its names")
    return content
