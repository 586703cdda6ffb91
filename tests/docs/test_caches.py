"""The page on performance names every cache, with what bounds it and why it is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "performance.md"
_MAKERS = frozenset({"cache", "lru_cache"})


def _maker(node: ast.expr) -> ast.expr | None:
    """The ``cache`` or ``lru_cache`` of functools that an expression uses, called or not."""
    inner = node.func if isinstance(node, ast.Call) else node
    name = inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")
    return node if name in _MAKERS else None


def _size(maker: ast.expr) -> int | None:
    """The size that was given; None for a cache without one."""
    if isinstance(maker, ast.Call):
        given = [*(one.value for one in maker.keywords if one.arg == "maxsize"), *maker.args]
        if given and isinstance(given[0], ast.Constant):
            return int(given[0].value) if given[0].value is not None else None
        if isinstance(maker.func, ast.Name | ast.Attribute) and not given:
            return 128
    return None


def caches(source: str) -> dict[str, int | None]:
    """The size of each cache made with functools, by what it is called.

    That is the name of the function, of the variable or, for an attribute, of the class.
    """
    found: dict[str, int | None] = {}
    if "cache" not in source:  # parsing takes longest
        return found

    def visit(node: ast.AST, owner: str) -> None:
        if isinstance(node, ast.ClassDef):
            owner = node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if (maker := _maker(decorator)) is not None:
                    found[node.name] = _size(maker)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            outer = node.value
            maker = _maker(outer.func if isinstance(outer.func, ast.Call) else outer)
            if maker is not None:
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                name = target.id if isinstance(target, ast.Name) else owner
                found[name] = _size(maker) if isinstance(outer.func, ast.Call) else None
        for child in ast.iter_child_nodes(node):
            visit(child, owner)

    visit(ast.parse(source), "")
    return found


def _uses(source: str) -> int:
    """How often a cache of functools is made, in whatever way."""
    if "cache" not in source:
        return 0
    return sum(
        (isinstance(node, ast.Name) and node.id in _MAKERS)
        or (
            isinstance(node, ast.Attribute)
            and node.attr in _MAKERS
            and isinstance(node.value, ast.Name)
            and node.value.id == "functools"
        )
        for node in ast.walk(ast.parse(source))
    )


def _sources() -> Iterator[tuple[str, str]]:
    for folder in ("cds_service", "hooks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(part for part in parts if part != "__init__")
            yield name.removeprefix("cds_service."), path.read_text(encoding="utf-8")


def _rows() -> Mapping[str, str]:
    """What bounds each cache that the page names, by its name."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## Caches\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:4] for line in section.splitlines() if line.startswith("| `")]
    return {name: bound for names, bound, _ in rows for name in re.findall(r"`([\w.]+)`", names)}


def _caches_made() -> dict[str, int | None]:
    return {
        f"{module}.{name}": size
        for module, source in _sources()
        for name, size in caches(source).items()
    }


def test_the_page_names_every_cache_with_its_size() -> None:
    rows = _rows()
    made = _caches_made()
    assert len(made) > 20
    unnamed = sorted(made.keys() - rows.keys())
    assert not unnamed, f"say in {PAGE.name}, Caches, what bounds {unnamed} and why it is there"
    wrong = {
        name: size
        for name, size in made.items()
        if size is not None and (f"{size:,}" if size > 1 else "one") not in rows[name]
    }
    assert not wrong, f"the page gives another bound for {wrong}"


def test_every_cache_on_the_page_exists() -> None:
    sources = dict(_sources())
    for name in _rows().keys() - _caches_made().keys():  # dictionaries
        module, _, attribute = name.rpartition(".")
        assert re.search(rf"\b{attribute}: dict\[", sources[module]), f"{name} is not in the code"


def test_no_cache_is_made_in_a_way_that_is_not_found() -> None:
    for module, source in _sources():
        if module != "ops.metrics":  # one row for its many
            assert _uses(source) == len(caches(source)), module


def test_caches_are_found() -> None:
    assert caches("@cache\ndef one(): ...") == {"one": None}
    assert caches("@functools.lru_cache(maxsize=7)\ndef one(): ...") == {"one": 7}
    assert caches("@lru_cache\ndef one(): ...") == {"one": None}
    assert caches("@lru_cache()\ndef one(): ...") == {"one": 128}
    assert caches("def outer():\n  @cache\n  def inner(): ...") == {"inner": None}
    assert caches("one = lru_cache(maxsize=7)(other)") == {"one": 7}
    assert caches("class A:\n  def f(self):\n    self.x = cache(y)") == {"A": None}
    assert caches("cached = other(cache)") == {} and _uses("cached = other(cache)") == 1
