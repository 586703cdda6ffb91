"""A public page about each rule, made from the reference pages; cards link to it."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path

from flask import Blueprint, Response
from markdown_it import MarkdownIt

from cds_service.api.rule_sections import section, with_limits
from cds_service.core.knowledge import Limit, Reference
from cds_service.engine.rule import Rule
from cds_service.errors import NotFound

_SECTION = re.compile(r"^### `([a-z0-9-]+)`$")
_TITLE = re.compile(r"\*\*([^*\n]+?)\.\*\* ?")
_SOURCE_LINK = re.compile(r"\[([^\[\]]+)\]\(references\.md#([a-z0-9-]+)\)")
_OTHER_LINK = re.compile(r"\[([^\[\]]+)\]\((?!https://)[^)]*\)")
_STYLE = (
    ":root{color-scheme:light dark;background:#fff;color:#17211f}a{color:#175e54}"
    "@media(prefers-color-scheme:dark){:root{background:#101514;color:#e8eeec}a{color:#6cc7b6}}"
    "body{font:1rem/1.55 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}div{overflow-x:auto;margin:1rem 0}"
    "th,td{border:1px solid #8886;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "blockquote{border-left:.25rem solid #8886;margin:1rem 0;padding:0 1rem}"
    "code{font-size:.95em}footer{margin-top:2rem}"
)
_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + b64encode(sha256(_STYLE.encode()).digest()).decode()
    + "'"
)


def blueprint(
    references: Mapping[str, Reference],
    rules: Iterable[Rule],
    limits: Mapping[str, Limit],
    in_force: Mapping[str, Limit] | None,
) -> Blueprint:
    """``/rules/ID`` for each of ``rules``; else 404.

    Rules of topics that bring no reference page are described by their declaration. Where
    ``in_force`` differs from the default ``limits``, the page shows both; None means that it
    differs from site to site.
    """
    pages = Blueprint("rule_pages", __name__)
    declared = {rule.id: rule for rule in rules}

    @pages.get("/rules/<rule_id>")
    def rule_page(rule_id: str) -> Response:
        rule = declared.get(rule_id)
        if rule is None:
            raise NotFound("No rule has this id.", "`cds-service rules` lists the ids.", "url")
        text = sections().get(rule_id) or section(rule, references, limits, citations=True)
        text = with_limits(text, rule, limits, in_force)
        response = Response(
            _page(rule_id, text, references), content_type="text/html; charset=utf-8"
        )
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response

    return pages


@cache
def sections() -> Mapping[str, str]:
    """The section of the reference page about each rule, as Markdown, by rule id.

    The sections of a rule that belongs to several services are joined.
    """
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in _reference_page().splitlines():
        heading = _SECTION.match(line)
        if heading:
            current = found.setdefault(heading[1], [])
            if current:
                current.append("\n---\n")
        elif line.startswith("## "):
            current = None
        elif current is not None:
            current.append(line)
    return {rule: "\n".join(lines).strip() for rule, lines in found.items()}


def _reference_page() -> str:
    installed = files("cds_service") / "reference" / "rules.md"
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    checkout = Path(__file__).resolve().parents[2] / "docs" / "reference" / "rules.md"
    return checkout.read_text(encoding="utf-8") if checkout.is_file() else ""


def _page(rule_id: str, text: str, references: Mapping[str, Reference]) -> str:
    def source(link: re.Match[str]) -> str:
        known = references.get(link[2])
        return f"[{link[1]}]({known.url})" if known is not None and known.url else link[1]

    title = _TITLE.match(text)
    heading = title[1] if title else rule_id
    text = text[title.end() :] if title else text
    linked = _OTHER_LINK.sub(r"\1", _SOURCE_LINK.sub(source, text))
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(linked)
    # A table wider than a phone's screen can be scrolled by keyboard, too.
    body = body.replace("<table>", '<div tabindex="0" role="group" aria-label="Table"><table>')
    body = body.replace("</table>", "</table></div>")
    name = escape(heading)
    return (
        f'<!doctype html><html lang="en-GB"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>{name}</h1>"
        f"<p>Rule <code>{escape(rule_id)}</code></p>{body}</main>"
        "<footer>Decision support for the clinician’s judgement; not clinically validated."
        "</footer></body></html>"
    )
