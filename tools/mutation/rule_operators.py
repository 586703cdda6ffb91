"""What cosmic-ray lacks for rules: keys, list members, arguments, statements, operands, levels.

A plugin of cosmic-ray, which `make mutants` installs into its own environment (pyproject.toml).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name

Node = Any  # a node of a parso tree; parso has no types for its children
Edit = tuple[Node, Node, str]
_KEY = re.compile(r"^[\"'][a-z][a-z0-9_.-]+[\"']$")
_OTHER = {
    "INFO": "WARNING", "WARNING": "CRITICAL", "CRITICAL": "WARNING", "LOW": "HIGH", "HIGH": "LOW",
    "ALWAYS": "CRAMPS", "CRAMPS": "ALWAYS", "ACTIVE": "DRAFT", "DRAFT": "ACTIVE",
    "SUSPECTED": "ACTIVE", "PAST": "ACTIVE", "RESULTS": "CONDITIONS",
    "CONDITIONS": "MEDICATIONS", "MEDICATIONS": "RESULTS",
}  # fmt: skip


class _Own(Operator):  # type: ignore[misc]  # its library has no types
    """``edits`` gives each change: the place it concerns, the node to replace, the new code."""

    def mutation_positions(self, node: Node) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        return ((place.start_pos, place.end_pos) for place, _, _ in self.edits(node))

    def mutate(self, node: Node, index: int) -> Node:
        _, target, code = list(self.edits(node))[index]
        # A leaf that prints as this code; nothing looks into it again.
        leaf = Name(code, target.start_pos, target.get_first_leaf().prefix)
        if target is node:
            return leaf
        siblings = target.parent.children
        siblings[siblings.index(target)] = leaf
        return node

    examples = staticmethod(tuple)


class ChangeKey(_Own):
    """A string that names a concept, analyte, limit or order is changed to an unknown name."""

    def edits(self, node: Node) -> Iterator[Edit]:
        if node.type == "string" and _KEY.match(node.value):
            yield node, node, f"{node.value[:-1]}-x{node.value[-1]}"


class FlipMembership(_Own):
    """``in`` for ``not in`` and the reverse."""

    def edits(self, node: Node) -> Iterator[Edit]:
        for word in node.children[1::2] if node.type == "comparison" else ():
            code = {"in": "not in", "not in": "in"}.get(" ".join(word.get_code().split()))
            if code:
                yield word, word, code


class ChangeMember(_Own):
    """Another member of an enumeration: ``Indicator.WARNING`` becomes ``Indicator.CRITICAL``."""

    def edits(self, node: Node) -> Iterator[Edit]:
        if node.type == "trailer" and node.children[0].value == ".":
            member = node.children[1]
            if member.value in _OTHER:
                yield node, member, _OTHER[member.value]


class RemoveMember(_Own):
    """One element fewer in a tuple, list, set or dictionary; one argument fewer in a call."""

    def edits(self, node: Node) -> Iterator[Edit]:
        inside = ("testlist_comp", "dictorsetmaker", "arglist")
        if node.type not in inside or node.children[-1].type in ("comp_for", "sync_comp_for"):
            return
        parts = groupby(
            node.children, lambda child: child.type == "operator" and child.value == ","
        )
        members = [list(part) for is_comma, part in parts if not is_comma]
        codes = ["".join(part.get_code() for part in member) + "," for member in members]
        for position, (first, *_) in enumerate(members):
            # A call can do without a keyword argument or a starred one, hardly without the others.
            spare = first.type == "argument" and first.children[0].type in ("name", "operator")
            if spare if node.type == "arglist" else len(members) > 1:
                yield first, node, "".join(codes[:position] + codes[position + 1 :])


class RemoveStatement(_Own):
    """A call or an augmented assignment that is a whole statement is left out."""

    def edits(self, node: Node) -> Iterator[Edit]:
        if node.type == "simple_stmt":
            first = node.children[0]
            code, is_call = first.get_code().rstrip(), first.type in ("power", "atom_expr")
            augmented = first.type == "expr_stmt" and first.children[1].get_code().strip()
            if (is_call and code[-1] == ")") or augmented in ("+=", "-=", "*=", "|=", "&="):
                yield first, first, "pass"


class DropOperand(_Own):
    """One operand fewer in ``a and b`` or ``a or b``."""

    def edits(self, node: Node) -> Iterator[Edit]:
        if node.type in ("and_test", "or_test"):
            codes = [operand.get_code() for operand in node.children[::2]]
            for position, operand in enumerate(node.children[::2]):
                rest = f" {node.children[1].value}".join(codes[:position] + codes[position + 1 :])
                yield operand, node, f" ({rest})"


def operators() -> dict[str, type[Operator]]:
    """The operators under their names, as cosmic-ray asks for them."""
    return {operator.__name__: operator for operator in _Own.__subclasses__()}
