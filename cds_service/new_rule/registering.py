"""Where a new rule is registered: in the module of its service, and in the traceability."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.errors import BadRequest

_ADD_HERE = "# cds-service new-rule adds above this line"


def registered(text: str, package: str, module: str) -> str:
    """The text of a service's module with one more rule: its import, sorted, and its RULES entry.

    Raises BadRequest where the module has no RULES.
    """
    line = f"from {package}.rules.{module} import {module}"
    lines = text.splitlines()
    imports = [
        number
        for number, text_line in enumerate(lines)
        if text_line.startswith(("from ", "import "))
    ]
    own = [number for number in imports if lines[number].startswith(f"from {package}.")]
    after = [number for number in own if lines[number].split()[1] > line.split()[1]]
    lines.insert(
        after[0] if after else (own or imports)[-1] + _length(lines, (own or imports)[-1]), line
    )
    start = next((n for n, text_line in enumerate(lines) if text_line.startswith("RULES")), None)
    if start is None:
        raise BadRequest(
            f"the module {package} of the service has no RULES.",
            "Write RULES: tuple[Rule, ...] = () there.",
        )
    if lines[start].endswith("()"):
        lines[start : start + 1] = [lines[start][:-1], f"    {_ADD_HERE}", ")"]
    end = next(
        n for n in range(start, len(lines)) if _ADD_HERE in lines[n] or lines[n].startswith(")")
    )
    lines.insert(end, f"    {module},")
    return "\n".join(lines) + "\n"


def _length(lines: Sequence[str], start: int) -> int:
    """The number of lines of an import."""
    if not lines[start].endswith("("):
        return 1
    return next(n for n in range(start, len(lines)) if lines[n] == ")") - start + 1


def traceability_with(text: str, name: str) -> str:
    """The text of ``traceability.toml`` with one more rule that no statement asks for."""
    line = f'"{name}" = "TODO new-rule: say why the rule exists."'
    head, found, rest = text.partition("[complement]\n")
    return f"{head}{found}{line}\n{rest}" if found else f"{text}[complement]\n{line}\n"
