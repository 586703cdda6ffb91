"""Text from a record never becomes a link or markup, whatever renders the card."""

from __future__ import annotations

import html
import re
from itertools import chain

import cmarkgfm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.core.text import quoted

GFM = MarkdownIt("gfm-like", {"linkify": True, "html": False})
COMMON = MarkdownIt("commonmark", {"html": True})
HOSTILE = [
    "a@evil.example",
    "Quinine a@evil.example 200 mg",
    "first.last+tag@sub.evil.example",
    "mailto:a@evil.example",
    "xmpp:a@evil.example",
    "xmpp:a@evil.example/room",
    "XMPP:a@evil.example",
    "xmpp:evil.example",
    "www.evil.example",
    "WWW.evil.example/x?y=1",
    "(www.evil.example)",
    "www.123.com",
    "http://evil.example",
    "HTTPS://evil.example/a_b_(c)",
    "ftp://evil.example",
    "http:evil.example",
    "evil.com",
    "see evil.com/path, then evil.org",
    "sub.evil.co.uk",
    "//evil.com/x",
    "//localhost/x",
    "http://localhost:8000",
    "http://127.0.0.1",
    "пример.рф",
    "a@пример.рф",
    "<a@evil.example>",
    "<https://evil.example>",
    "[x](https://evil.example)",
    "![x](//evil.com/i.png)",
    "[x]: https://evil.example",
    "a@b@evil.example",
    "a @evil.example",
    "a@ evil.example",
    "\\@evil.example",
    "a\u200b@evil.example",
    "a&#64;evil.example",
    "a&commat;evil.example",
    "a＠evil.com",
    "https&colon;//evil.example",
    "wwwwww.evil.com",
    "user@localhost",
    "-- a@evil.example --",
]


def _all_rendered(text: str) -> list[str]:
    return [
        cmarkgfm.github_flavored_markdown_to_html(text),
        GFM.render(text),
        COMMON.render(text),
    ]


@pytest.mark.parametrize("around", ["{}", "- Medication: {}, 2026-11-01", "**{}**", "({})"])
def test_a_name_never_becomes_a_link(around: str) -> None:
    texts = (around.format(quoted(name)) for name in HOSTILE)
    for rendered in chain.from_iterable(map(_all_rendered, texts)):
        assert "<a" not in rendered
        assert "href" not in rendered
        assert "<img" not in rendered


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a@evil.example", "a @ evil.example"),
        ("2 tablets @ bedtime", "2 tablets @ bedtime"),
        ("Vitamin B.complex 0.5 mg", "Vitamin B.complex 0.5 mg"),
        ("Sodium chloride 0.9 %", "Sodium chloride 0.9 %"),
        ("see https://evil.example", "see https://evil.example"),
        ("magnesium w/ www.site.org", "magnesium w/ www.site.org"),
    ],
)
def test_the_visible_text_is_unchanged(name: str, shown: str) -> None:
    for rendered in _all_rendered(quoted(name)):
        assert html.unescape(re.sub("<[^>]*>", "", rendered)).strip() == shown


_PIECES = st.sampled_from(
    ["@", ".", ":", "/", "//", "www", "http", "https:", "mailto:", "xmpp:", "evil", "com", "org",
     "example", "a", "1", " ", "_", "*", "-", "\\", "(", ")", "[", "]", "<", ">", "&", "#", "~"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=14).map("".join))
def test_no_combination_becomes_a_link(name: str) -> None:
    for rendered in _all_rendered(f"- Medication: {quoted(name)}, 2026-11-01"):
        assert "<a" not in rendered
        assert "href" not in rendered
