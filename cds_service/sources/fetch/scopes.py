"""Which FHIR resources an access token may read, according to its SMART scopes.

``fhirAuthorization.scope`` comes in two spellings: SMART v1 (``patient/Observation.read``,
CDS Hooks 2.0.1) and SMART v2 (``patient/Observation.rs?category=laboratory``, CDS Hooks
3.0). Both are read, even together. Epic writes words instead
(``Observation.Search (Labs) (R4)``). Scopes in any other syntax are not judged here: the FHIR
server decides.
"""

from __future__ import annotations

import re

_SCOPE = re.compile(
    r"(?:patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]*)\.(?P<may>read|write|\*|c?r?u?d?s?)"
)
_WORDS = re.compile(r"\b([A-Z][A-Za-z]{2,63})\.(Read|Search|Create|Update)\b")
_OF_NO_RESOURCE = frozenset({"launch", "openid", "profile", "fhirUser"})


def scope_covers(scope: str, resource_type: str, *, search: bool) -> bool:
    """Whether a request for ``resource_type`` may be tried with ``scope``.

    ``search`` is True for a search and False for a read of one resource by its id: SMART v2 and
    Epic distinguish the two, SMART v1 does not. A scope restricted by a query (``?category=…``)
    or a remark (``(Labs)``) covers the type: the server responds with the part that it allows.
    Scopes without a resource (``launch``, ``openid``) cover nothing. Also True where a part of
    ``scope`` has an unknown syntax, because only the server can say what it allows.
    """
    letter = "s" if search else "r"
    verb = "Search" if search else "Read"
    words = _WORDS.findall(scope)
    if any(named == resource_type and may == verb for named, may in words):
        return True
    unknown = False
    for word in scope.split():
        match = _SCOPE.fullmatch(word.partition("?")[0])
        if match is None or not match["may"]:
            unknown = unknown or not (words or _says_no_resource(word))
        elif match["type"] in {"*", resource_type}:
            may = match["may"]
            if may in {"read", "*"} or (may != "write" and letter in may):
                return True
    return unknown


def _says_no_resource(word: str) -> bool:
    """Whether ``word`` is one of SMART's scopes for launching and identity."""
    return word in _OF_NO_RESOURCE or word.startswith("launch/") or word.endswith("_access")
