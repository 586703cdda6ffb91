"""Whether a Bundle says that it is incomplete, if its links, total or entries are malformed.

A well-formed Bundle is judged while it is split up (`peeks.lacking`). This module is for links,
totals and entries of other types, and for an OperationOutcome that says that data are missing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Raw

from cds_service.core.facts import Kind
from cds_service.core.kinds import KINDS
from cds_service.fhir.values.elements import (
    UNREADABLE,
    all_words,
    items,
    part,
    readable,
    text,
)
from cds_service.fhir.values.peeks import Link, lacking, read_list, read_members

_EXTENT_MEMBERS = ("link", "total", "meta")
_MILD = frozenset({"warning", "information", "success"})
# Issue types that mean that something is missing even in a warning.
_INCOMPLETE = frozenset(
    ("incomplete", "timeout", "throttled", "too-costly", "transient", "exception", "no-store",
     "lock-error")
)  # fmt: skip
_SUPPRESSED = "suppressed"
_BY_CODE = frozenset(kind for kind, row in KINDS.items() if row.by_code)
# Withheld parts of a list that hold none of what the rules read.
_UNRELATED = re.compile(r"genomic|dental|reason[- ]for[- ]visit")
_MOST = 500


def shortfall(raw: bytes | Raw) -> str:
    """What is missing from an undecoded Bundle by its own account; empty where nothing is."""
    with contextlib.suppress(*UNREADABLE):
        members = read_members(raw)
        stated = {name: readable(members[name]) for name in _EXTENT_MEMBERS if name in members}
        entry = bytes(members.get("entry", b"[]"))
        return missing_of(stated, len(read_list(entry)) if entry[:1] == b"[" else 1)
    return ""


def missing_of(bundle: Mapping[str, object], entries: int) -> str:
    """As `shortfall`, from the decoded links, total and meta, and the number of entries."""
    links = []
    for link in items(bundle.get("link")):
        relations = list(_relations(link))
        if not relations and link not in (None, {}, ""):
            return "its links to further pages cannot be read"
        links += [Link(name) for name in relations]
    total = bundle.get("total")
    if isinstance(total, Decimal):  # numbers with a fraction are decoded as Decimal
        total = float(total)
    if isinstance(total, bool) or not isinstance(total, int | float | str | None):
        return "its total cannot be read"
    return lacking(links, total, entries, _subsetted(bundle.get("meta")))


def _subsetted(meta: object) -> bool:
    return any(text(part(tag, "code")) == "SUBSETTED" for tag in items(part(meta, "tag")))


def _relations(link: object) -> Iterator[str]:
    """The names of a link, however it is written; ``{"next": address}`` is one too."""
    if not isinstance(link, dict):
        return
    stated = link.get("relation", link.get("rel"))
    if stated is None:
        yield from (name for name in link if name not in ("url", "href", "id", "extension"))
        return
    for relation in items(stated):
        yield text(relation) if isinstance(relation, str) else "next"


def says_incomplete(outcome: object, kind: Kind | None = None) -> bool:
    """Whether an OperationOutcome says that some data of a kind are missing.

    One without a severity counts as the worst. Data withheld for reasons of access count as
    missing, except for results, because only some codes of those were requested.
    """
    issues = items(part(outcome, "issue"))
    severities = {text(part(issue, "severity")).lower() for issue in issues}
    if not severities or not severities <= _MILD:
        return True
    for issue in issues:
        code = text(part(issue, "code")).lower()
        withheld = code == _SUPPRESSED and kind not in _BY_CODE
        if code in _INCOMPLETE or (withheld and not _UNRELATED.search(_issue_words(issue))):
            return True
    return False


def _issue_words(issue: object) -> str:
    words = (*all_words(part(issue, "details")), text(part(issue, "diagnostics")))
    return " ".join(words)[:_MOST].lower()


def failed(response: object) -> bool:
    """Whether the ``response`` of an entry says that its request failed: 4xx, 5xx, an error."""
    if str(part(response, "status"))[:1] in ("4", "5"):
        return True
    outcome = part(response, "outcome")
    return outcome is not None and says_incomplete(outcome)
