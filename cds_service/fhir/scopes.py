"""Which FHIR resources an access token may read, as told by its SMART scopes.

``fhirAuthorization.scope`` comes in two spellings: SMART v1 (``patient/Observation.read``,
CDS Hooks 2.0.1) and SMART v2 (``patient/Observation.rs?category=laboratory``, CDS Hooks
3.0). Both are read, also side by side.
"""

from __future__ import annotations

import re

_SCOPE = re.compile(
    r"(?:patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]*)\.(?P<may>read|write|\*|c?r?u?d?s?)"
)


def scope_covers(scope: str, resource_type: str, *, search: bool) -> bool:
    """Whether ``scope`` (space-separated) allows reading ``resource_type``.

    ``search`` asks for a search, otherwise for a read of one resource by its id: SMART v2
    tells the two apart (``s`` and ``r``), v1 does not. A scope narrowed by a query
    (``?category=…``) covers: the server answers with the part that it allows. Scopes of
    other kinds (``launch``, ``openid``) and malformed ones cover nothing.
    """
    letter = "s" if search else "r"
    for word in scope.split():
        match = _SCOPE.fullmatch(word.partition("?")[0])
        if match is None or match["type"] not in {"*", resource_type}:
            continue
        may = match["may"]
        if may in {"read", "*"} or (may != "write" and letter in may):
            return True
    return False
