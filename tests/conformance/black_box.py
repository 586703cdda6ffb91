"""Requirements on what a CDS service sends, each by its id in docs/conformance.md.

Written from the specification alone: nothing of the service is imported, and its own
schemas are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOKEN = re.compile(r"\{\{([^}]*)\}\}")
# Prefetch Token = Yes in the tables of the hooks, and the user tokens.
TOKENS = {"context.userId", "context.patientId", "context.encounterId",
          "userPractitionerId", "userPractitionerRoleId", "userPatientId",
          "userRelatedPersonId"}  # fmt: skip
HOOK_VERSIONS = {"patient-view": "1.0", "order-select": "1.0", "order-sign": "1.0"}
TODAY = re.compile(r"today\(\)( [+-] \d+ days)?")
_TEMPLATE = re.compile(r"[A-Z][A-Za-z]+(/\{\{[\w.]+\}\}|\?[^\s?]+)")
_A_DAY = "2020-01-01"
_DATE = re.compile(r"(eq|lt|gt|ge|le)?\d{4}(-\d\d){0,2}")
_TAG = re.compile(r"<[A-Za-z!/]")
_SEMVER = re.compile(r"\d+\.\d+\.\d+(-[\w.]+)?")


def discovery(body: Any) -> list[str]:
    """The ids of the requirements that a discovery response breaks."""
    if not isinstance(body, dict) or not isinstance(body.get("services"), list):
        return ["D1"]
    broken = list(_empty(body, {"services"}))
    ids = set()
    for service in body["services"]:
        for name in ("hook", "description", "id"):
            if not isinstance(service.get(name), str):
                broken.append("D3")
        if not isinstance(service.get("title"), str):
            broken.append("D4")
        if not isinstance(service.get("usageRequirements", ""), str):
            broken.append("D5")
        if not _SEMVER.fullmatch(service.get("version", "0.0.0")):
            broken.append("D6")
        if service.get("hookVersion", "1.0") != HOOK_VERSIONS.get(service.get("hook")):
            broken.append("D7")
        if service.get("id") in ids:
            broken.append("D8")
        ids.add(service.get("id"))
        for template in service.get("prefetch", {}).values():
            broken += _template(template, service.get("version", "2.0.1"))
    return sorted(set(broken))


def _template(template: Any, version: str) -> Iterator[str]:
    if not isinstance(template, str):
        yield "D5"
        return
    if version.startswith("3."):  # which has today(), with days added or taken off
        template = TOKEN.sub(
            lambda match: _A_DAY if TODAY.fullmatch(match[1]) else match[0], template
        )
    for token in TOKEN.findall(template):
        if token not in TOKENS:
            yield "P1" if not token.startswith("context.") else "P3"
    rest = TOKEN.sub("x", template)
    if "{" in rest or "}" in rest:
        yield "P1"
    if not _TEMPLATE.fullmatch(template):
        yield "P4"
    query = template.partition("?")[2]
    names = [pair.partition("=")[0] for pair in query.split("&")] if query else []
    if len(names) != len(set(names)):
        yield "P4"
    for pair in query.split("&") if query else ():
        name, _, value = pair.partition("=")
        plain, _, modifier = name.partition(":")
        if modifier not in ("", "in") or plain in ("_include", "_revinclude", "_has", "_elements"):
            yield "P5"
        if "." in plain:
            yield "P5"
        if plain == "date" and not _DATE.fullmatch(value):
            yield "P4"


def response(body: Any) -> list[str]:
    """The ids of the requirements that a successful answer breaks."""
    if not isinstance(body, dict) or not isinstance(body.get("cards"), list):
        return ["C0"]
    broken = list(_empty(body, {"cards"}))
    if "systemActions" in body:
        broken.append("C11")
    uuids: list[str] = []
    for card in body["cards"]:
        broken += _card(card, uuids)
    if len(uuids) != len(set(uuids)):
        broken.append("C2")
    return sorted(set(broken))


def _card(card: dict[str, Any], uuids: list[str]) -> Iterator[str]:
    if not UUID.fullmatch(str(card.get("uuid"))):
        yield "C2"
    uuids.append(str(card.get("uuid")))
    summary = card.get("summary")
    if not isinstance(summary, str) or not 0 < len(summary) < 140 or "\n" in summary:
        yield "C3"
    if not isinstance(card.get("detail"), str) or _TAG.search(card["detail"]):
        yield "C4"
    if card.get("indicator") not in ("info", "warning", "critical"):
        yield "C5"
    yield from _source(card.get("source"))
    suggestions = card.get("suggestions", [])
    behavior = card.get("selectionBehavior")
    if suggestions and behavior not in ("any", "at-most-one"):
        yield "C7"
    recommended = [suggestion for suggestion in suggestions if suggestion.get("isRecommended")]
    if behavior == "at-most-one" and len(recommended) > 1:
        yield "C8"
    for suggestion in suggestions:
        if not isinstance(suggestion.get("label"), str):
            yield "C9"
        if not UUID.fullmatch(str(suggestion.get("uuid"))):
            yield "C9"
        if "actionSelectionBehavior" in suggestion:
            yield "R14"
        uuids.append(str(suggestion.get("uuid")))
        for action in suggestion.get("actions", []):
            yield from _action(action)
    for reason in card.get("overrideReasons", []):
        if not _coding(reason) or not isinstance(reason.get("display"), str):
            yield "C12"
    for link in card.get("links", []):
        yield from _link(link)
    if "extension" in card and not isinstance(card["extension"], dict):
        yield "C15"


def _source(source: Any) -> Iterator[str]:
    if not isinstance(source, dict) or not isinstance(source.get("label"), str):
        yield "C6"
        return
    for name in ("url", "icon"):
        if name in source and not str(source[name]).startswith(("https://", "http://")):
            yield "C6"
    if "topic" in source and not _coding(source["topic"]):
        yield "C16"


def _action(action: dict[str, Any]) -> Iterator[str]:
    kind = action.get("type")
    if kind not in ("create", "update", "delete") or not isinstance(action.get("description"), str):
        yield "C10"
    if kind in ("create", "update") and not isinstance(action.get("resource"), dict):
        yield "C10"
    if kind == "delete" and (
        "resource" in action or not re.fullmatch(r"\w+/[\w.-]+", str(action.get("resourceId")))
    ):
        yield "C10"


def _link(link: dict[str, Any]) -> Iterator[str]:
    kind = link.get("type")
    if not all(isinstance(link.get(name), str) for name in ("label", "url", "type")):
        yield "C13"
    if kind not in ("absolute", "smart") or (kind == "absolute" and "appContext" in link):
        yield "C13"


def _coding(coding: Any) -> bool:
    return (
        isinstance(coding, dict)
        and set(coding) <= {"code", "system", "display"}
        and all(isinstance(coding.get(name), str) for name in ("code", "system"))
    )


def _empty(value: Any, allowed: set[str], name: str = "") -> Iterator[str]:
    if value is None or (value in ("", [], {}) and name not in allowed):
        yield "G3"
    for key, member in value.items() if isinstance(value, dict) else ():
        yield from _empty(member, allowed, key)
    for member in value if isinstance(value, list) else ():
        yield from _empty(member, allowed)
