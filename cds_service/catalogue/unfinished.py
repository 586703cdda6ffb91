"""Placeholders of ``cds-service new-rule`` that are still in the files of a topic.

A first draft passes its tests, and without this check it would reach a clinician with its
placeholders. `cds-service check` names them, and a service with such a rule starts only with the
demo page, or where the rule is switched off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.errors import StartupError
from cds_service.ops import logs

if TYPE_CHECKING:
    from cds_service.core.patient import Site
    from cds_service.engine.topic import Topic

MARK = "TODO new-rule:"
"""How each placeholder in the templates begins; what follows says what to write there. An author's
own TODO notes do not begin so, and must not keep a hospital's service from starting."""


def placeholders(files: Iterable[Path]) -> Iterator[tuple[Path, int, str]]:
    """File, line number and text of each placeholder; files that cannot be read have none."""
    for file in files:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if MARK not in text:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            _, found, rest = line.partition(MARK)
            if found:
                yield file, number, rest.strip(" \"',.()")


def refuse_unfinished(topics: Iterable[Topic], sites: Iterable[Site], *, demo: bool) -> None:
    """Raise StartupError where a rule has a placeholder. With the demo page, only log it.

    A rule that every site has switched off makes no card, and is not looked at.
    """
    off = frozenset.intersection(*(site.rules_off for site in sites))
    sources = {
        Path(code.co_filename)
        for topic in topics
        for rule in topic.rules
        if rule.id not in off
        and (code := getattr(rule.check or rule.review, "__code__", None)) is not None
    }
    for file, line, text in placeholders(sorted(sources)):
        if not demo:
            raise StartupError(
                f"{file}:{line} has a placeholder that a clinician would see: {text}.",
                "Replace what `cds-service check` names, switch the rule off, or use --demo.",
            )
        logs.logger(__name__).warning("rule_unfinished", file=file.name, line=line)
