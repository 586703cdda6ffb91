"""Markdown of cards as HTML: even unescaped text is harmless."""

from __future__ import annotations

import pytest

from cds_service.core.text import quoted
from cds_service.demo.wording import block, inline
from tests.demo.demo_service import HOSTILE


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "<script>alert(1)</script>",
        "[click](javascript:alert(1))",
        "[click](https://elsewhere.example)",
        "![see](https://elsewhere.example/x.png)",
        "<https://elsewhere.example>",
    ],
)
def test_raw_html_links_and_images_stay_text(text: str) -> None:
    for html in (block(text), inline(text)):
        for tag in ("<img", "<script", "<a ", "<a>"):
            assert tag not in html


def test_the_markdown_that_cards_use_is_rendered() -> None:
    html = block("First.\n\n**Based on**\n\n- one\n- two")
    assert "<strong>Based on</strong>" in html
    assert html.count("<li>") == 2


def test_quoted_text_from_a_record_is_shown_as_written() -> None:
    assert "&lt;b&gt; *5* &amp; https:" in inline(quoted("<b> *5* & https://x"))
