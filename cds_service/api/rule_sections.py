"""The description of a rule, from its declaration and docstrings, as one section in Markdown.

The reference pages in ``docs`` and the public page of a rule (``/rules/ID``) are made from it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from inspect import cleandoc

from cds_service.core.knowledge import Limit, Reference
from cds_service.engine.rule import Rule, Tier

_PARTS = ("When", "Then", "Does not cover", "Recommendation")
_OF_DEFAULTS = "The text below describes the default limits."
_SEVERAL_SITES = (
    "The limits below are the defaults. A site of this service may use others: a card shows the "
    "limit that it applied."
)
_PART = re.compile(rf" ({'|'.join(_PARTS)}):")


def section(
    rule: Rule,
    references: Mapping[str, Reference],
    limits: Mapping[str, Limit],
    complaint: str = "the complaint is",
    *,
    citations: bool = False,
) -> str:
    """The section about a rule, without a heading; it links to sources as ``references.md#KEY``.

    ``complaint`` completes "only when … documented". With ``citations`` each source has its full
    citation, for readers without the page of references.
    """
    module = sys.modules[(rule.check or rule.review).__module__]
    condition = "only when" if rule.tier is Tier.COMPLAINT else "whether or not"
    lines = [
        f"**{rule.title}.** {cleandoc(rule.document)}\n",
        f"\nVersion {rule.version}, last changed {rule.changed}; owner: {rule.owner}; applies "
        f"{condition} {complaint} documented{', also under 18' if rule.minors else ''}.\n",
    ]
    if rule.judges:
        judged = ", ".join(f"`{concept}`" for concept in sorted(rule.judges))
        lines.append(f"Judges selected orders of: {judged}.\n")
    lines.append(f"\n{_explained(module.__doc__ or '')}\n")
    if rule.limits:
        rows = [
            [f"`{limit.key}`", str(limit), limit.meaning, limit.reference, str(limit.checked)]
            for limit in (limits[key] for key in rule.limits)
        ]
        lines.append("\n" + table(["limit", "value", "meaning", "source", "checked"], rows))
    needs = [
        [
            need.kind.value,
            need.analyte or ", ".join(need.concepts) or "all",
            str(need.within or "any time"),
            "yes" if need.required else "no",
        ]
        for need in rule.needs
    ]
    lines.append("\n" + table(["reads", "what", "back to", "required"], needs))
    if rule.offers:
        lines.append(f"\nMay offer: {', '.join(f'`{key}`' for key in sorted(rule.offers))}.\n")
    cited = [references[key] for key in rule.references]
    sources = [
        f"[{source.label}](references.md#{source.key})"
        + (f". {source.citation}" if citations else "")
        for source in cited
    ]
    lines.append(f"\nSources: {'; '.join(sources)}{'' if citations else '.'}\n")
    return "".join(lines)


def with_limits(
    text: str, rule: Rule, limits: Mapping[str, Limit], in_force: Mapping[str, Limit] | None
) -> str:
    """A section with the limits that are in force instead of the default ``limits``.

    None: there are several sites with different limits, and no site may see those of another. The
    words of a section describe the defaults, and where others are in force it begins with that.
    """
    if in_force is None:
        return _noted(text, _SEVERAL_SITES) if rule.limits else text
    changed = {
        key: (str(limits[key]), str(in_force[key]))
        for key in rule.limits
        if key in in_force and in_force[key].value != limits[key].value
    }
    if not changed:
        return text
    for key, (default, value) in changed.items():
        row = f"| `{key}` | {default} |"
        text = text.replace(row, f"| `{key}` | {value} (default {default}) |")
    lines = [
        f"- Limit at this site: {value} (default {default}), `{key}`"
        for key, (default, value) in changed.items()
    ]
    return _noted(text, "\n".join((*lines, "", _OF_DEFAULTS)))


def _noted(text: str, note: str) -> str:
    """A section with a note after its first paragraph, which names the rule."""
    first, _, rest = text.partition("\n\n")
    return f"{first}\n\n{note}\n\n{rest}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _explained(document: str) -> str:
    """The docstring of a rule's module without its title, as a list; a title alone is kept."""
    blocks = [
        " ".join(line.strip() for line in block.splitlines())
        for block in document.strip().split("\n\n")
    ]
    if len(blocks) == 1:
        return blocks[0]
    out = []
    for block in blocks[1:]:
        for line in _PART.sub(r"\n\1:", block).splitlines():
            name, _, rest = line.partition(":")
            out.append(f"- **{name}:**{rest}" if name in _PARTS and rest else f"- {line}")
    return "\n".join(out)
