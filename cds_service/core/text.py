"""Text for cards: one line, and text from a record that cannot act as Markdown or HTML."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = str.maketrans({char: "\\" + char for char in "\\`*_[]()#|~^$"})
# What programs turn into links: a scheme, www., the dot before a domain's last part, two
# slashes. The last character of each is escaped.
_LINKED = re.compile(
    r"(?:https?|ftp|mailto|xmpp):|www\.|(?<=[^\s.])\.(?=[^\W\d_])|//", re.IGNORECASE
)
_ADDRESS = re.compile(r"(?<=\S)@(?=\S)")
# One line with nothing to escape, although it may contain a link.
_INERT = re.compile(r"[A-Za-z0-9,./%+-]+(?: [A-Za-z0-9,./%+-]+)*")
_SPACE = re.compile(r"\s+")
_BRACKETS = str.maketrans("<>", "‹›")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def one_line(text: str) -> str:
    """``text`` without control characters, direction overrides and line breaks."""
    if text.isprintable():
        # The usual case: none of these categories, and no space but the plain one.
        return " ".join(text.split()) if "  " in text else text.strip(" ")
    kept = "".join(
        " " if unicodedata.category(char) in ("Cc", "Zl", "Zp") else char
        for char in text
        if unicodedata.category(char) not in ("Cf", "Cs", "Co", "Cn")
    )
    return _SPACE.sub(" ", kept).strip()


def shortened(text: str, length: int) -> str:
    """``text`` in at most ``length`` characters, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def plain_name(text: str, length: int = 80) -> str:
    """Text from a record where a client shows plain text (labels): it cannot form a tag."""
    return shortened(one_line(text), length).translate(_BRACKETS)


def quoted(text: str, length: int = 120) -> str:
    """Text from a record as inert Markdown: no HTML, no links, one line.

    Some clients render raw HTML in a card's detail, so angle brackets and ampersands
    become entities, Markdown's own characters are escaped, and addresses are kept from
    turning into links.
    """
    # The usual case: these characters form no link without a dot or two slashes.
    inert = len(text) <= length and _INERT.fullmatch(text)
    if inert and not (_may_link(text) and _LINKED.search(text)):
        return text
    # GitHub's Markdown looks for email addresses in the finished text, after escapes are
    # resolved: only spaces keep them from becoming links.
    line = shortened(_ADDRESS.sub(" @ ", one_line(text)), length)
    escaped = line.translate(_SPECIAL)
    if _may_link(escaped):
        escaped = _LINKED.sub(_unlinked, escaped)
    return escaped.translate(_ENTITIES)


def _may_link(text: str) -> bool:
    """Whether a text has to be searched with `_LINKED`, which is slow."""
    return "." in text or ":" in text or "//" in text


def _unlinked(match: re.Match[str]) -> str:
    start, end = match[0][:-1], match[0][-1]
    return f"{start}\\{end}"
