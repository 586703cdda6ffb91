"""Words for cards: one line, and text from a record that cannot act as Markdown or HTML."""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = str.maketrans({char: "\\" + char for char in "\\`*_[]()#|~^$"})
_LINKS = re.compile(r"(https?|ftp|mailto|xmpp)(?=:)|(www)(?=\.)", re.IGNORECASE)
# One line with nothing to escape, and no link but perhaps www.
_INERT = re.compile(r"[A-Za-z0-9,./%+-]+(?: [A-Za-z0-9,./%+-]+)*")
_SPACE = re.compile(r"\s+")
_BRACKETS = str.maketrans("<>", "‹›")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def one_line(text: str) -> str:
    """``text`` without control characters, direction overrides and line breaks."""
    if text.isprintable():
        # Nothing of these categories, and no space but the plain one: the usual case.
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
    """Text from a record where a client shows plain text (labels): no tag can be made of it."""
    return shortened(one_line(text), length).translate(_BRACKETS)


def quoted(text: str, length: int = 120) -> str:
    """Text that came from a record, as inert Markdown: no HTML, no links, one line.

    Some clients render raw HTML in a card's detail, so angle brackets and ampersands
    become entities, Markdown's own characters are escaped, and addresses are kept from
    becoming links by themselves.
    """
    if len(text) <= length and _INERT.fullmatch(text) and "www" not in text.lower():
        return text  # the usual case
    line = shortened(one_line(text), length)
    return _LINKS.sub(r"\g<0>\\", line.translate(_SPECIAL)).translate(_ENTITIES)
