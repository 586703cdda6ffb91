"""What cosmic-ray lacks for rules: keys, list members, arguments, statements, operands, levels.

A plugin of cosmic-ray, which `make mutants` installs into its own environment (pyproject.toml).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name

Node = Any  # a node of a parso tree; parso has no types for its children
Edit = tuple[Node, Node, str]
_KEY = re.compile(r"^[\"'][a-z][a-z0-9_.-]+[\"']$")
_AUGMENTED = ("+=", "-=", "*=", "|=", "&=")
_OTHER = {
    "Indicator": {"INFO": "WARNING", "WARNING": "CRITICAL", "CRITICAL": "WARNING"},
    "Worse": {"LOW": "HIGH", "HIGH": "LOW"},
    "Tier": {"ALWAYS": "CRAMPS", "CRAMPS": "ALWAYS"},
    "Service": {"PATIENT_VIEW": "ORDER_SELECT", "ORDER_SELECT": "PATIENT_VIEW"},
    "Presence": {"ACTIVE": "SUSPECTED", "SUSPECTED": "ACTIVE", "PAST": "ACTIVE"},
    "Taking": {"ACTIVE": "DRAFT", "DRAFT": "ACTIVE"},
    "Kind": {"RESULTS": "CONDITIONS", "CONDITIONS": "MEDICATIONS", "MEDICATIONS": "RESULTS"},
}


class _Own(Operator):  # type: ignore[misc]
    """``edits`` gives each change: the place it concerns, the node to replace, the new code."""

    edits: Callable[[Any, Node], list[Edit]]

    def mutation_positions(self, node: Node) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        for place, _, _ in self.edits(node):
            yield place.start_pos, place.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        _, target, code = self.edits(node)[index]
        # A leaf that prints as this code; nothing looks into it again.
        leaf = Name(code, target.start_pos, target.get_first_leaf().prefix)
        if target is node:
            return leaf
        siblings = target.parent.children
        siblings[siblings.index(target)] = leaf
        return node

    examples = staticmethod(tuple)


class ChangeKey(_Own):
    """A string that names a concept, analyte, limit or order names another, unknown one."""

    def edits(self, node: Node) -> list[Edit]:
        if node.type != "string" or not _KEY.match(node.value):
            return []
        return [(node, node, f"{node.value[:-1]}-x{node.value[-1]}")]


class FlipMembership(_Own):
    """``in`` for ``not in`` and the reverse."""

    def edits(self, node: Node) -> list[Edit]:
        words = node.children[1::2] if node.type == "comparison" else []
        other = {("in",): "not in", ("not", "in"): "in"}
        codes = [(word, other.get(tuple(word.get_code().split()))) for word in words]
        return [(word, word, code) for word, code in codes if code]


class ChangeMember(_Own):
    """Another member of an enumeration: ``Indicator.WARNING`` becomes ``Indicator.CRITICAL``."""

    def edits(self, node: Node) -> list[Edit]:
        if node.type not in ("power", "atom_expr") or node.children[0].type != "name":
            return []
        trailer = node.children[1]
        if trailer.type != "trailer" or trailer.children[0].value != ".":
            return []
        member = trailer.children[1]
        other = _OTHER.get(node.children[0].value, {}).get(member.value)
        return [(trailer, member, other)] if other else []


class RemoveMember(_Own):
    """One element less in a tuple, list, set or dictionary; one argument less in a call."""

    def edits(self, node: Node) -> list[Edit]:
        if node.type not in ("testlist_comp", "dictorsetmaker", "arglist"):
            return []
        if node.children[-1].type in ("comp_for", "sync_comp_for"):
            return []
        members: list[list[Node]] = [[]]
        for child in node.children:
            if child.type == "operator" and child.value == ",":
                members.append([])
            else:
                members[-1].append(child)
        members = [member for member in members if member]
        codes = ["".join(one.get_code() for one in member) for member in members]
        # A call can do without a keyword argument or a starred one, hardly without the others.
        spare = ("name", "operator") if node.type == "arglist" else ()
        return [
            (first, node, "".join(f"{one}," for one in codes[:at] + codes[at + 1 :]))
            for at, (first, *_) in enumerate(members)
            if (first.type == "argument" and first.children[0].type in spare)
            or (not spare and len(members) > 1)
        ]


class RemoveStatement(_Own):
    """A call or an augmented assignment that is a statement of its own is left out."""

    def edits(self, node: Node) -> list[Edit]:
        if node.type != "simple_stmt":
            return []
        first = node.children[0]
        is_call = first.type in ("power", "atom_expr") and first.get_code().rstrip().endswith(")")
        augmented = first.type == "expr_stmt" and first.children[1].get_code().strip() in _AUGMENTED
        return [(first, first, "pass")] if is_call or augmented else []


class DropOperand(_Own):
    """One operand less in ``a and b`` or ``a or b``."""

    def edits(self, node: Node) -> list[Edit]:
        if node.type not in ("and_test", "or_test"):
            return []
        operands = node.children[::2]
        codes = [one.get_code() for one in operands]
        word = f" {node.children[1].value}"
        return [
            (one, node, f" ({word.join(codes[:at] + codes[at + 1 :])})")
            for at, one in enumerate(operands)
        ]


def operators() -> dict[str, type[Operator]]:
    """The operators under their names, as cosmic-ray asks for them."""
    own = (ChangeKey, FlipMembership, ChangeMember, RemoveMember, RemoveStatement, DropOperand)
    return {one.__name__: one for one in own}
