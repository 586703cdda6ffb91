"""Which FHIR resources an access token may read, as told by its SMART scopes.

``fhirAuthorization.scope`` comes in two spellings: SMART v1 (``patient/Observation.read``,
CDS Hooks 2.0.1) and SMART v2 (``patient/Observation.rs?category=laboratory``, CDS Hooks
3.0). Both are read, also side by side. Epic writes words instead
(``Observation.Search (Labs) (R4)``). What is in none of these spellings is not judged here: the
FHIR server decides.
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

    ``search`` asks for a search, otherwise for a read of one resource by its id: SMART v2 and
    Epic tell the two apart, SMART v1 does not. A scope narrowed by a query (``?category=…``) or
    a remark (``(Labs)``) covers: the server answers with the part that it allows. Scopes that
    name no resource (``launch``, ``openid``) cover nothing. True also where a part of ``scope``
    is in no spelling known here, since nobody but the server can say what it allows.
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
    """Whether it is one of SMART's scopes for launching and identity."""
    return word in _OF_NO_RESOURCE or word.startswith("launch/") or word.endswith("_access")
