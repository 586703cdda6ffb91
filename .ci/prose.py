"""Checks the prose of the repository: proselint's checks, and the project's own word list.

    prose.py [FILE …]     (without files: all documents, programs, templates and card texts in git)

Of Markdown, what is not code is read; of Python, comments, docstrings and other texts with a space;
of TOML, JSON and JavaScript, such texts; of HTML, what is not in a tag. Of tests and tools, only
comments and docstrings: their texts are records and orders as others write them. The words, and
the checks of proselint that are left out, are in `words.toml`. Each fault is one line,
`file:line: what`.
Status 1 if there is one.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from proselint.checks import __register__
from proselint.config import DEFAULT
from proselint.registry import CheckRegistry
from proselint.registry.checks import Check, CheckFlags
from proselint.registry.checks.engine import Fancy
from proselint.registry.checks.types import ExistenceSimple
from proselint.tools import LintFile

HERE = Path(__file__).resolve().parent
WORDS = tomllib.loads((HERE / "words.toml").read_text("utf-8"))
# The more specific name of a check first, as proselint wants them.
CHECKS = dict(
    sorted((DEFAULT["checks"] | WORDS["checks"]).items(), key=lambda one: -one[0].count("."))
)
READ = (
    *(
        "*.md",
        "*.py",
        "*.html",
        "cds_service/demo/static/*.js",
        "docs/traceability.toml",
        "hooks/knowledge/*.toml",
    ),
    *("fixtures/patients/index.json", "fixtures/patients/orders.json"),
)
# Stands for code within a sentence: not a word, so that no two of them are a word repeated.
CODE = "·"
# Styles, drawings and patterns among the texts of a program.
PROGRAM = re.compile(r"\\[bdsw]|\(\?|\{[a-z-]+:|=[\"']|;\}|^upper center$|[a-z-]+: ?#[0-9a-f]{3}")
# A figure repeated is not a word repeated.
FIGURES = re.compile(r"illusion in '[\d\s]+'")
# In TOML and JSON: what others wrote, and quantities.
QUOTED = re.compile(r'\b"?(?:display|citation|title|quote|spellings|names|url)"?\s*[=:]')


def main(*names: str) -> int:
    CheckRegistry().register_many((*__register__, *_own("everywhere"), *_own("british")))
    faults = [fault for name in names or _in_git() for fault in faults_in(Path(name))]
    print("\n".join([*faults, f"prose: {len(faults)} faults."]))
    return 1 if faults else 0


def _own(group: str) -> Iterator[Check]:
    for pattern, instead in WORDS[group].items():
        spaced = pattern.replace(" ", r"\s+")
        yield Check(
            check_type=ExistenceSimple(rf"\b(?:{spaced})\b", (*WORDS["allowed"][group],)),
            engine=Fancy(),
            path=f"{group}.words",
            message=f"'{{}}' is on the list of words to avoid. Write: {instead}.",
            flags=CheckFlags(allow_quotes=True),
        )


def _in_git() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", *READ], capture_output=True, text=True, check=True
    ).stdout.split()
    return [name for name in listed if Path(name).exists()]


def faults_in(path: Path) -> list[str]:
    """The faults of one file, by line. What a card or a message shows must also be British."""
    text = path.read_text("utf-8")
    shown = ""
    if path.suffix == ".py":
        notes, messages = _python(text)
        prose = _by_line(notes, messages)
        shown = _by_line(messages)
        if path.parts[0] in ("tests", "tools", ".ci"):
            prose, shown = _by_line(notes), ""
    elif path.suffix in (".toml", ".json", ".js"):
        prose = shown = f" {CODE}\n".join(map(_data, text.splitlines()))
    else:
        indented = re.sub(r"(?m)(?<=\n\n)(?: {4}.*\n)+", _blank, text)
        prose = _markdown(indented) if path.suffix == ".md" else _html(text)
        if path.suffix == ".html" and path.parts[0] != "docs":  # there: results of a run
            shown = prose
    found = set()
    everywhere = CHECKS | {"everywhere": True}
    for part, checks in ((prose, everywhere), (shown, {"british": True})):
        if not part.strip():
            continue
        linted = LintFile(str(path), part).lint({"max_errors": 1000, "checks": checks})
        found |= {(one.pos[0], one.check_result.message) for one in linted}
    found = {one for one in found if not FIGURES.search(one[1])}
    return [f"{path}:{line}: {message}" for line, message in sorted(found)]


def _python(text: str) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """The comments and docstrings of a module, and its other texts, by line."""
    notes: dict[int, list[str]] = defaultdict(list)
    messages: dict[int, list[str]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith("#!"):
            beside = CODE if token.line[: token.start[1]].strip() else ""
            notes[token.start[0]].append(
                f"{beside} {_markdown(token.string.lstrip('# '))} {beside}"
            )
    docstrings: set[ast.expr] = set()
    pieces: set[ast.expr] = set()  # of f-strings, each of which is read as a whole
    nodes = list(ast.walk(ast.parse(text)))
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            pieces.update(node.values)
        elif isinstance(node, ast.Expr):
            docstrings.add(node.value)
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            whole = "".join(
                str(one.value) if isinstance(one, ast.Constant) else CODE for one in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in pieces:
            whole = node.value
        else:
            continue
        into = notes if node in docstrings else messages
        if " " in whole.strip() and not PROGRAM.search(whole):
            for offset, line in enumerate(f"{_markdown(whole)} {CODE}".split("\n")):
                into[node.lineno + offset].append(line)
    return notes, messages


def _by_line(*parts: dict[int, list[str]]) -> str:
    last = max((number for part in parts for number in part), default=0)
    return "\n".join(
        f" {CODE} ".join([text for part in parts for text in part.get(number, ())])
        for number in range(1, last + 1)
    )


def _markdown(text: str) -> str:
    """Without code, addresses and comments; each line stays where it is."""
    for pattern in (r"(?ms)^ *```.*?^ *```$", r"(?s)<!--.*?-->", r"``?[^`]+``?", r"\]\([^)]*\)",
                    r"https?://\S+"):  # fmt: skip
        text = re.sub(pattern, _blank, text)
    return re.sub(r"(?m)^[ ]*(?=$|#|[-*] |\d+\. )", f"{CODE} ", text)  # where a new sentence begins


def _html(text: str) -> str:
    blank = r"(?s)<(script|style)\b.*?</\1>|\{#.*?#\}|\{[%{].*?[%}]\}|<[^>]*>"
    return re.sub(blank, _blank, text)


def _blank(found: re.Match[str]) -> str:
    return CODE + "\n" * found[0].count("\n")


def _data(line: str) -> str:
    """The texts of one line of TOML or JSON, and its comment."""
    if line.lstrip().startswith(("#", "//", "/*", "*")):
        return line.lstrip("#/* ")
    if QUOTED.search(line):
        return ""
    texts = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    return f" {CODE} ".join(text for text in texts if " " in text)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
