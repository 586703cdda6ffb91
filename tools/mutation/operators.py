"""What cosmic-ray lacks for rules: keys, list members, arguments, statements, operands, levels.

Imported only where cosmic-ray is installed (see `tools.mutation.making`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import parso
from cosmic_ray.operators.operator import Operator
from parso.python.tree import Name

Node = Any  # a node of a parso tree; parso has no types for its children
Position = tuple[tuple[int, int], tuple[int, int]]
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
    """One place, one change: ``choices`` gives each as an index and the node it concerns."""

    def choices(self, node: Node) -> list[tuple[int, Node]]:
        raise NotImplementedError

    def changed(self, node: Node, index: int) -> Node:
        raise NotImplementedError

    def mutation_positions(self, node: Node) -> Iterator[Position]:
        for _, place in self.choices(node):
            yield place.start_pos, place.end_pos

    def mutate(self, node: Node, index: int) -> Node:
        return self.changed(node, self.choices(node)[index][0])

    @classmethod
    def examples(cls) -> tuple[object, ...]:
        return ()


class ChangeKey(_Own):
    """A string that names a concept, analyte, limit or order names another, unknown one."""

    def choices(self, node: Node) -> list[tuple[int, Node]]:
        return [(0, node)] if node.type == "string" and _KEY.match(node.value) else []

    def changed(self, node: Node, index: int) -> Node:
        node.value = f"{node.value[:-1]}-x{node.value[-1]}"
        return node


class FlipMembership(_Own):
    """``in`` for ``not in`` and the reverse."""

    def choices(self, node: Node) -> list[tuple[int, Node]]:
        if node.type != "comparison":
            return []
        words = [(at, one) for at, one in enumerate(node.children) if at % 2]
        return [(at, one) for at, one in words if one.get_code().split() in (["in"], ["not", "in"])]

    def changed(self, node: Node, index: int) -> Node:
        word = " in" if "not" in node.children[index].get_code() else " not in"
        node.children[index] = parso.parse(word)
        return node


class ChangeMember(_Own):
    """Another member of an enumeration: ``Indicator.WARNING`` becomes ``Indicator.CRITICAL``."""

    def choices(self, node: Node) -> list[tuple[int, Node]]:
        if node.type not in ("power", "atom_expr") or node.children[0].type != "name":
            return []
        trailer = node.children[1]
        others = _OTHER.get(node.children[0].value, {})
        fits = trailer.type == "trailer" and trailer.children[0].value == "."
        return [(0, trailer)] if fits and trailer.children[1].value in others else []

    def changed(self, node: Node, index: int) -> Node:
        name = node.children[1].children[1]
        name.value = _OTHER[node.children[0].value][name.value]
        return node


class RemoveMember(_Own):
    """One element less in a tuple, list, set or dictionary; one argument less in a call."""

    KINDS: ClassVar[tuple[str, ...]] = ("testlist_comp", "dictorsetmaker", "arglist")

    def choices(self, node: Node) -> list[tuple[int, Node]]:
        if node.type not in self.KINDS or node.children[-1].type in ("comp_for", "sync_comp_for"):
            return []
        groups = self._groups(node)
        if node.type == "arglist":
            return [(at, group[0]) for at, group in enumerate(groups) if self._spared(group)]
        return [(at, group[0]) for at, group in enumerate(groups)] if len(groups) > 1 else []

    def changed(self, node: Node, index: int) -> Node:
        kept = [group for at, group in enumerate(self._groups(node)) if at != index]
        code = ",".join("".join(one.get_code() for one in group) for group in kept)
        node.children = [_text(f"{code}," if kept else "", node)]
        return node

    @staticmethod
    def _groups(node: Node) -> list[list[Node]]:
        groups: list[list[Node]] = [[]]
        for child in node.children:
            if child.type == "operator" and child.value == ",":
                groups.append([])
            else:
                groups[-1].append(child)
        return [group for group in groups if group]

    @staticmethod
    def _spared(group: list[Node]) -> bool:
        """A keyword argument or a starred one: the others a call can hardly do without."""
        first = group[0]
        return bool(first.type == "argument" and first.children[0].type in ("name", "operator"))


class RemoveStatement(_Own):
    """A call or an augmented assignment that stands by itself is left out."""

    def choices(self, node: Node) -> list[tuple[int, Node]]:
        if node.type != "simple_stmt":
            return []
        first = node.children[0]
        is_call = first.type in ("power", "atom_expr") and first.get_code().rstrip().endswith(")")
        augmented = first.type == "expr_stmt" and first.children[1].get_code().strip() in _AUGMENTED
        return [(0, first)] if is_call or augmented else []

    def changed(self, node: Node, index: int) -> Node:
        prefix = node.get_first_leaf().prefix
        node.children[0] = _text(f"{prefix}pass", node)
        return node


class DropOperand(_Own):
    """One operand less in ``a and b`` or ``a or b``."""

    def choices(self, node: Node) -> list[tuple[int, Node]]:
        if node.type not in ("and_test", "or_test"):
            return []
        return [(at, one) for at, one in enumerate(node.children) if at % 2 == 0]

    def changed(self, node: Node, index: int) -> Node:
        kept = [
            one.get_code() for at, one in enumerate(node.children) if at % 2 == 0 and at != index
        ]
        code = f" {node.children[1].value}".join(kept)
        node.children = [_text(f" ({code})", node)]
        return node


def _text(code: str, node: Node) -> Name:
    """A leaf that prints as this code; nothing looks into it again."""
    return Name(code, node.start_pos)


OWN = (
    ChangeKey,
    FlipMembership,
    ChangeMember,
    RemoveMember,
    RemoveStatement,
    DropOperand,
)
