"""Fills prefetch templates as an EHR's FHIR server would, from one patient's Bundle.

It understands only what the published templates use; anything else is an error, so that a
template that a simple client could not fill is noticed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tests.testing import fhir

Resource = dict[str, Any]

_DATED = ("effectiveDateTime", "effectiveInstant", "authoredOn", "recordedDate")


def as_stored(bundle: Mapping[str, Any]) -> list[Resource]:
    """The resources of a transaction Bundle with their references as a server stores them."""
    names = {
        entry["fullUrl"]: f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        for entry in bundle["entry"]
    }
    return [_renamed(entry["resource"], names) for entry in bundle["entry"]]


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            key: names.get(value, value) if key == "reference" else _renamed(value, names)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_renamed(item, names) for item in node]
    return node


def filled(
    templates: Mapping[str, str], context: Mapping[str, Any], stored: list[Resource]
) -> dict[str, Any]:
    """The value of every prefetch key whose tokens the context has."""
    values = {}
    for key, template in templates.items():
        query = template
        for name, value in context.items():
            if isinstance(value, str):
                query = query.replace(f"{{{{context.{name}}}}}", value)
        if "{{" not in query:
            values[key] = _answer(query, stored)
    return values


def _answer(query: str, stored: list[Resource]) -> Any:
    path, _, search = query.partition("?")
    if not search:
        kind, _, identity = path.partition("/")
        found = [
            resource
            for resource in stored
            if resource["resourceType"] == kind and resource["id"] == identity
        ]
        assert len(found) == 1, query
        return found[0]
    pairs = parse_qsl(search, strict_parsing=True)
    parameters = dict(pairs)
    assert len(parameters) == len(pairs), "a repeated parameter"
    found = [
        resource
        for resource in stored
        if resource["resourceType"] == path and _matches(resource, parameters)
    ]
    if parameters.get("_sort") == "-date":
        found.sort(key=date_of, reverse=True)
    limit = int(parameters.get("_count", len(found)))
    following = [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]
    link = following if len(found) > limit else None
    return fhir.searchset(*found[:limit], total=len(found), link=link)


def _matches(resource: Resource, parameters: Mapping[str, str]) -> bool:
    for name, value in parameters.items():
        allowed = value.split(",")
        if name == "patient":
            subject = resource.get("subject") or resource.get("patient") or {}
            if subject.get("reference") != f"Patient/{value}":
                return False
        elif name == "code":
            codings = resource.get("code", {}).get("coding", [])
            if not any(
                f"{coding.get('system')}|{coding.get('code')}" in allowed for coding in codings
            ):
                return False
        elif name == "status":
            if resource.get("status") not in allowed:
                return False
        else:
            assert name in ("_sort", "_count"), f"a parameter no simple client has: {name}"
    return True


def date_of(resource: Resource) -> str:
    """When it happened, as written; empty where nothing says so."""
    return next((str(resource[name]) for name in _DATED if name in resource), "")
