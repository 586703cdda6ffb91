"""Text from a record has no effect on a card."""

import pytest

from cds_service.core.text import one_line, plain_name, quoted, shortened


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[click](https://evil.example)",
        "![x](https://evil.example/x.png)",
        "https://evil.example",
        "www.evil.example",
        "`code` **bold** _it_ ~~no~~ |cell| # head",
        "&lt;b&gt;",
        "<!-- hidden -->",
        "\"quoted\" 'too'",
        "line\nbreak\r\n- list",
    ],
)
def test_text_becomes_one_line_without_html_links_or_markdown(hostile: str) -> None:
    shown = quoted(hostile)
    assert "<" not in shown
    assert ">" not in shown
    assert "\n" not in shown
    assert "\r" not in shown
    assert "https:" not in shown
    assert "www." not in shown
    for special in "`*_[]()|#~":
        assert shown.count(special) == shown.count("\\" + special) + (
            shown.count("&#39;") if special == "#" else 0
        )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\tb\nc", "a b c"),
        ("  a   b ", "a b"),
        ("a\u202eb", "ab"),
        ("a\u200bb", "ab"),
        ("a\u2028b", "a b"),
        ("a\x00b", "a b"),
    ],
)
def test_control_characters_and_direction_overrides_are_dropped(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize("length", [5, 10, 139])
def test_nothing_is_longer_than_allowed(length: int) -> None:
    assert len(shortened("x" * 500, length)) == length
    assert shortened("short", 5) == "short"
    assert shortened("longer", 5).endswith("…")


def test_a_quotation_is_cut_before_it_is_escaped() -> None:
    assert quoted("<" * 500, 10).count("&lt;") == 9


def test_a_plain_name_cannot_contain_a_tag() -> None:
    name = plain_name("<img src=x onerror=alert(1)>\nQuinine")
    assert "<" not in name
    assert ">" not in name
    assert "\n" not in name
    assert "Quinine" in name
    assert len(plain_name("x" * 500)) == 80
