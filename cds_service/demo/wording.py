"""The Markdown of cards as inert HTML: no raw HTML, no links, no images."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

_markdown = MarkdownIt("commonmark", {"html": False}).disable(["link", "image", "autolink"])


def block(text: str) -> Markup:
    """A card's detail as paragraphs and lists."""
    return Markup(_markdown.render(text))  # noqa: S704  # the renderer escapes its input


def inline(text: str) -> Markup:
    """One line of a trace, without a paragraph around it."""
    return Markup(_markdown.renderInline(text))  # noqa: S704  # likewise
