"""``cds-service new-topic``: a package for a new topic, ready for its first analyte and rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from importlib import resources
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from string import Template

from cds_service.catalogue.topics import installed_keys
from cds_service.engine.hook import HOOKS
from cds_service.errors import BadRequest

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "topic.py.txt": "{package}/__init__.py",
    "analytes.toml.txt": "{package}/knowledge/analytes.toml",
    "limits.toml.txt": "{package}/knowledge/limits.toml",
    "references.toml.txt": "{package}/knowledge/references.toml",
    "orders.toml.txt": "{package}/knowledge/orders.toml",
    "traceability.toml.txt": "docs/traceability.toml",
}


def write_topic(key: str, root: Path, today: date) -> list[Path]:
    """Write the files of the topic ``key`` into a new folder of that name under ``root``.

    Returns the files. Raises BadRequest for a key that is invalid or already means something else,
    and for a folder that already exists.
    """
    if not _KEY.fullmatch(key):
        raise BadRequest(
            f"{key} is not a valid topic key.",
            "Use lower-case words with hyphens, like low-calcium.",
            "KEY",
        )
    folder = root / key
    if folder.exists():
        raise BadRequest(
            f"{folder} already exists.", "Choose another key, or another folder.", "KEY"
        )
    package = key.replace("-", "_")
    if key in installed_keys():
        raise BadRequest(
            f"a topic {key} is already installed.", "Choose another key, or uninstall it.", "KEY"
        )
    if iskeyword(package) or find_spec(package) is not None:
        raise BadRequest(
            f"{package} is a word or a package of Python, or a package that is installed.",
            f"Choose another key, like {key}-topic.",
            "KEY",
        )
    words = {
        "key": key,
        "package": package,
        "words": key.replace("-", " "),
        "title": key.replace("-", " ").capitalize(),
        "today": today.isoformat(),
        "modules": ", ".join(sorted(hook.module for hook in HOOKS.values())),
        "rules_of_hooks": "\n".join(
            f'            (HOOKS["{hook}"], {hook.module}.RULES),' for hook in HOOKS.values()
        ),
    }
    texts = {target.format(**words): _filled(source, words) for source, target in _FILES.items()}
    for hook in HOOKS.values():
        texts[f"{words['package']}/{hook.module}.py"] = _filled("hook.py.txt", {"when": hook.when})
    written = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    for package in ("rules", "knowledge"):
        path = folder / words["package"] / package / "__init__.py"
        path.parent.mkdir(exist_ok=True)
        path.touch()
        written.append(path)
    return written


def _filled(source: str, words: Mapping[str, str]) -> str:
    template = resources.files("cds_service.new_rule").joinpath("topic_files", source)
    return Template(template.read_text(encoding="utf-8")).substitute(words)
