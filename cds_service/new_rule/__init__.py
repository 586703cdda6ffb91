"""``cds-service new-rule``: a rule, its table of cases and its scenario, from templates.

Works in a source checkout; what it writes passes the tests as it stands, once the rule is
registered, and is then changed into what the rule shall be.
"""

from __future__ import annotations

import re
from datetime import date
from importlib import resources
from pathlib import Path
from string import Template

from cds_service.errors import BadRequest

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FILES = {
    "rule.py.txt": "hooks/rules/{module}.py",
    "test.py.txt": "tests/rules/test_{module}.py",
    "request.json.txt": "fixtures/scenarios/{name}/request.json",
    "expected.json.txt": "fixtures/scenarios/{name}/expected.json",
    "why.md.txt": "fixtures/scenarios/{name}/why.md",
}


def write(name: str, root: Path, today: date) -> list[Path]:
    """Write the files of rule ``name`` (like ``low-sodium``) under ``root``, and name them.

    Raises BadRequest for a name that cannot be used, a folder that is not a source checkout, or
    a file that already exists; then nothing is written.
    """
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{name} is not a valid rule id.",
            "Use lower-case words with hyphens, like low-sodium.",
            "NAME",
        )
    if not (root / "hooks" / "patient_view.py").is_file():
        raise BadRequest(f"{root} is not a source checkout.", "Run this in the project's folder.")
    words = {
        "name": name,
        "module": name.replace("-", "_"),
        "title": name.replace("-", " ").capitalize(),
        "today": today.isoformat(),
    }
    texts = {
        root / target.format(**words): Template(_text(source)).substitute(words)
        for source, target in _FILES.items()
    }
    for path in texts:
        if path.exists():
            raise BadRequest(f"{path.relative_to(root)} exists.", "Choose another name.", "NAME")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def next_steps(name: str) -> str:
    """What is left to do by hand."""
    module = name.replace("-", "_")
    return f"""Left to do:
  1. hooks/patient_view.py: from hooks.rules.{module} import {module}; add it to RULES.
  2. docs/traceability.toml: name "{name}" in the statement it comes from, or under [complement].
  3. make docs, then make test PYTEST_ARGS="-k {module}"
  4. Change the rule, its cases and its scenario into what you mean; a line in CHANGELOG.md."""


def _text(source: str) -> str:
    return resources.files("cds_service.new_rule").joinpath(source).read_text(encoding="utf-8")
