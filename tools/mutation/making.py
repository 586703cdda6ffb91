"""The mutants of one file, one JSON object a line: `python making.py FILE`.

Runs in cosmic-ray's own environment and imports nothing of the product. A mutant is one change
by one operator: cosmic-ray's, chosen below, and our own. Left out is what is the same program:
annotations, docstrings, assertions (they state what types cannot) and decorators of data
classes and caches.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from operators import OWN

_COMPARISON = "core/ReplaceComparisonOperator_"
_BINARY = "core/ReplaceBinaryOperator_"
_UNARY = "core/ReplaceUnaryOperator_"
CHOSEN = (
    # The limit itself, and the other side of it.
    *(f"{_COMPARISON}{one}" for one in ("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE")),
    *(f"{_COMPARISON}{one}" for one in ("Gt_LtE", "GtE_Gt", "GtE_Lt")),
    *(f"{_COMPARISON}{one}" for one in ("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")),
    *(f"{_BINARY}{one}" for one in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul")),
    *(f"{_BINARY}{one}" for one in ("Pow_Mul", "Mod_Mul", "BitOr_BitAnd", "BitAnd_BitOr")),
    *(f"{_UNARY}{one}" for one in ("Delete_Not", "Delete_USub")),
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)
_SAME = {"dataclass", "lru_cache", "cache", "total_ordering"}


class _Bare(ast.NodeTransformer):
    """A program without what changes nothing when it runs."""

    def _body(self, node: Any) -> Any:
        self.generic_visit(node)
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_Module = _body  # noqa: N815

    def _named(self, node: Any) -> Any:
        node.decorator_list = [one for one in node.decorator_list if _name(one) not in _SAME]
        return self._body(node)

    visit_ClassDef = _named  # noqa: N815

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self._named(node)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        node.annotation = ast.Constant(None)
        self.generic_visit(node)
        return node

    def visit_Assert(self, node: ast.Assert) -> ast.Pass:
        return ast.Pass()


def _name(decorator: ast.expr) -> str:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return called.id if isinstance(called, ast.Name) else ""


def _program(code: str) -> str:
    return ast.dump(_Bare().visit(ast.parse(code)))


def mutants(source: str) -> Iterator[dict[str, object]]:
    """Every mutant of a module: operator, line, the changed line before and after, the code."""
    operators = [(name.split("/")[1], get_operator(name)()) for name in CHOSEN]
    operators += [(one.__name__, one()) for one in OWN]
    seen = {_program(source)}
    for start, end in _statements(source):
        part = source[start:end]
        first = source.count("\n", 0, start)
        for name, operator in operators:
            places = [
                place
                for node in ast_nodes(parso.parse(part))
                for place in operator.mutation_positions(node)
            ]
            for occurrence, place in enumerate(places):
                changed = mutate_code(part, operator, occurrence)
                code = source[:start] + changed + source[end:]
                try:
                    program = _program(code)
                except SyntaxError:
                    continue
                if program in seen:
                    continue
                seen.add(program)
                was, now = _lines(part, changed)
                yield {
                    "operator": name,
                    "line": first + place[0][0],
                    "last": first + place[1][0],
                    "was": was,
                    "now": now,
                    "code": code,
                }


def _statements(source: str) -> Iterator[tuple[int, int]]:
    """Where each statement of a module starts and ends: mutating one is quicker than all."""
    at = 0
    for node in parso.parse(source).children:
        length = len(node.get_code())
        yield at, at + length
        at += length


def _lines(was: str, now: str) -> tuple[str, str]:
    """The lines that differ, in short, without what is the same before and after them."""
    old, new = was.splitlines(), now.splitlines()
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return " ".join(" ".join(old).split()), " ".join(" ".join(new).split())


if __name__ == "__main__":
    for mutant in mutants(Path(sys.argv[1]).read_text(encoding="utf-8")):
        print(json.dumps(mutant))
