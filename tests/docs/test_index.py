"""Every page is linked from the index, every link leads somewhere, and the README is correct."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

from tests.testing import programs

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(page: Path) -> set[Path]:
    """The files of the checkout that a page links to."""
    files = set()
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            files.add((page.parent / target).resolve())
    return files


PAGES = sorted(
    path for path in (ROOT / "docs").rglob("*.md") if path != ROOT / "docs" / "README.md"
)


def test_every_page_is_linked_from_the_index() -> None:
    pages = [
        *PAGES,
        *(path for path in ROOT.glob("*.md") if path.name != "README.md"),
        *ROOT.glob("fixtures/**/README.md"),
    ]
    linked = links(ROOT / "docs" / "README.md")
    assert [page for page in pages if page.resolve() not in linked] == []


def test_the_readme_links_to_the_index_and_the_glossary() -> None:
    linked = links(ROOT / "README.md")
    assert (ROOT / "docs" / "README.md").resolve() in linked
    assert (ROOT / "GLOSSARY.md").resolve() in linked


def test_every_link_inside_the_checkout_leads_somewhere() -> None:
    for page in [
        *PAGES,
        *ROOT.glob("fixtures/**/*.md"),
        ROOT / "docs" / "README.md",
        *ROOT.glob("*.md"),
    ]:
        assert [path for path in links(page) if not path.exists()] == [], page


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_sample_card_of_the_readme_is_the_real_one() -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])["cards"][0]
    (request,) = re.findall(r"-d @(\S+)", README)
    words = ("evaluate", request, "--as-of", "2026-11-23", "--json")
    process = programs.run_program("cds_service", *words, folder=ROOT, environ=os.environ)
    assert process.returncode == 0, process.stderr
    (card,) = (
        card
        for card in json.loads(process.stdout)["cards"]
        if card["source"]["topic"]["code"] == shown["source"]["topic"]["code"]
    )
    assert card["summary"] == shown["summary"]
    assert card["indicator"] == shown["indicator"]
    labels = [suggestion["label"] for suggestion in card["suggestions"]]
    assert [suggestion["label"] for suggestion in shown["suggestions"]] == labels


def test_the_make_targets_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^make (\S+)", README, re.MULTILINE))
    assert targets
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {
        name for name in targets if not re.search(rf"^{re.escape(name)}:", makefile, re.M)
    } == set()


def test_commands_of_the_pages_name_commands_that_exist() -> None:
    from cds_service.cli import main

    unknown = []
    for page in [ROOT / "README.md", *PAGES]:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.splitlines():
                try:
                    words = shlex.split(line, comments=True)
                except ValueError:
                    continue
                for index, word in enumerate(words[:-1]):
                    following = words[index + 1]
                    is_command = word == "cds-service" and re.fullmatch(r"[a-z][a-z-]*", following)
                    if is_command and following not in main.commands:
                        unknown.append((page.name, following))
    assert unknown == []
