"""Writes docs/reference from the code and the knowledge files: `python docs/generate.py`.

Tests compare the pages in the folder with what would be written, so that no page goes
stale. `--check` does the same and exits with 1 if one has.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from cds_service.api.rule_sections import section, table  # noqa: E402
from cds_service.engine.rule import Rule  # noqa: E402
from hooks import TOPIC  # noqa: E402
from hooks.knowledge import files  # noqa: E402

HEAD = "<!-- Written by docs/generate.py; edit the code or the knowledge files instead. -->\n\n"
RULES: tuple[Rule, ...] = TOPIC.rules


def pages() -> dict[str, str]:
    """Every generated page by its path under docs/."""
    return {
        "reference/rules.md": rules_page(),
        "reference/traceability.md": traceability_page(),
        "reference/limits.md": limits_page(),
        "reference/references.md": references_page(),
        "reference/units.md": units_page(),
        "reference/orders.md": orders_page(),
        "reference/codes.md": codes_page(),
        "reference/settings.md": settings_page(),
        "reference/endpoints.md": endpoints_page(),
        "reference/metrics.md": metrics_page(),
        "reference/errors.md": errors_page(),
        "reference/command-line.md": command_line_page(),
        "reference/reading.md": reading_page(),
    }


# --- rules ---------------------------------------------------------------------------------


@cache
def examples() -> Mapping[Rule, tuple[str, Mapping[str, Any]]]:
    """For each rule a scenario in which it fires, and its card there."""
    from cds_service.commands.scenarios import answered_scenarios

    found: dict[Rule, tuple[str, Mapping[str, Any]]] = {}
    scenarios = ROOT / "fixtures" / "scenarios"
    for name, answered in answered_scenarios(TOPIC, scenarios, max_info_cards=99):
        for card in answered.cards:
            if card.rule not in found or name == card.rule.id:
                found[card.rule] = (name, _steady(card.body))
    return found


def _steady(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in body.items() if name != "uuid"}


def rules_page() -> str:
    """One section for each rule, for a clinician to sign off."""
    parts = [
        HEAD,
        "# Rules\n\nOne section for each rule: when it fires, what its card says, which limits and "
        "sources it uses, what it does not cover, and its card in an example. "
        "None of it is clinically validated.\n\n",
        "; ".join(f"{len(service.rules)} when {service.hook.when}" for service in TOPIC.services)
        + ".\n",
    ]
    told: set[Rule] = set()
    for service in TOPIC.services:
        parts.append(f"\n## {service.id}\n\nHook {service.hook}. {service.description}\n")
        again = [f"`{rule.id}`" for rule in service.rules if rule in told]
        if again:
            parts.append(f"\nAlso asks these rules, described above: {', '.join(again)}.\n")
        for rule in service.rules:
            if rule not in told:
                parts.append(_rule(rule))
        told.update(service.rules)
    return "".join(parts)


def _rule(rule: Rule) -> str:
    text = section(rule, files.references(), files.limits(), "cramps are")
    example = examples().get(rule)
    if example is not None:
        name, body = example
        text += f"\nExample ([{name}](../../fixtures/scenarios/{name}/why.md)):\n\n{_card(body)}"
    return f"\n### `{rule.id}`\n\n{text}"


def _card(body: Mapping[str, Any]) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in str(body["detail"]).splitlines())
    suggestions = "".join(
        f"> - offers: {suggestion['label']}\n" for suggestion in body.get("suggestions", ())
    )
    reasons = ", ".join(reason["display"] for reason in body["overrideReasons"])
    return (
        f"> **[{body['indicator']}] {body['summary']}**\n>\n{quoted}\n"
        + (f">\n{suggestions}" if suggestions else "")
        + f">\n> Reasons to override: {reasons}.\n"
    )


def traceability_page() -> str:
    """Each statement of the source, and what became of it."""
    content = tomllib.loads((ROOT / "docs/traceability.toml").read_text(encoding="utf-8"))
    rows = []
    for statement in content["statement"]:
        became = [f"`{rule}`" for rule in statement.get("rules", ())]
        if "modifier" in statement:
            became.append(f"modifier: {statement['modifier']}")
        if "not_computed" in statement:
            became.append(f"not computed: {statement['not_computed']}")
        became += [f"`{rule}` says: {text}" for rule, text in statement.get("on_card", {}).items()]
        rows.append([statement["id"], statement["section"], statement["says"], "; ".join(became)])
    rest = [[f"`{rule}`", why] for rule, why in content["complement"].items()]
    return (
        HEAD + "# Traceability\n\nEach statement of the source article, numbered by section and "
        "paraphrased, and what became of it.\n\n"
        + table(["no.", "section", "statement", "what became of it"], rows)
        + "\nRules that no statement asks for:\n\n"
        + table(["rule", "why it exists"], rest)
    )


# --- knowledge -----------------------------------------------------------------------------


def limits_page() -> str:
    """Every limit, dated and sourced."""
    rows = [
        [
            f"`{limit.key}`",
            str(limit.value),
            limit.unit,
            limit.meaning,
            limit.reference,
            str(limit.checked),
        ]
        for limit in files.limits().values()
    ]
    return (
        HEAD
        + "# Limits\n\nEvery number with which a rule compares a value. A site overrides any of "
        "them with the file named in `CDS_LIMITS`, TOML or JSON, in the same unit:\n\n"
        '```toml\n["magnesium.low"]\nvalue = "0.75"\nunit = "mmol/L"\n```\n\n'
        + table(["key", "value", "unit", "meaning", "source", "checked"], rows)
    )


def references_page() -> str:
    """Every source, once."""
    parts = [
        HEAD,
        "# References\n\nEach source is listed once. *Seen* says whether the primary source "
        "itself was read.\n",
    ]
    for reference in files.references().values():
        found = " · ".join(
            part
            for part in (
                f"PMID {reference.pmid}" if reference.pmid else "",
                reference.doi,
                reference.url,
            )
            if part
        )
        parts.append(
            f'\n## <a id="{reference.key}"></a>{reference.key}\n\n{reference.citation}\n\n'
            f"{reference.kind}{f', {reference.year}' if reference.year else ''}; "
            f"{'seen' if reference.seen else 'not seen'}; last checked {reference.checked}. "
            f"{found}\n"
        )
    return "".join(parts)


def units_page() -> str:
    """Analytes, factors, spellings, plausible ranges."""
    parts = [
        HEAD,
        "# Units\n\nCanonical value = reported value × factor + offset, exactly. A unit that is "
        "not listed is not guessed: the result cannot be used, and a card says so.\n",
    ]
    for analyte in files.analytes().values():
        spellings: dict[str, list[str]] = {}
        for spelling, unit in analyte.units.items():
            spellings.setdefault(unit.name, []).append(f"`{spelling}`")
        units = {unit.name: unit for unit in analyte.units.values()}
        rows = [
            [
                name,
                str(unit.factor),
                str(unit.offset) if unit.offset else "",
                unit.note,
                " ".join(spellings[name]),
            ]
            for name, unit in units.items()
        ]
        low, high = analyte.plausible
        own = (
            f"; a laboratory's lower limit must be {analyte.range_low[0]}–{analyte.range_low[1]}"
            if analyte.range_low
            else ""
        )
        parts.append(
            f"\n## {analyte.name}\n\n"
            f"Canonical {analyte.canonical}; plausible {low}–{high}{own}.\n\n"
            + table(["unit", "factor", "offset", "why", "accepted spellings"], rows)
        )
    return "".join(parts)


def orders_page() -> str:
    """What cards can suggest."""
    rows = [
        [
            f"`{orderable.key}`",
            orderable.label,
            "drug proposal" if orderable.medication else "test or referral",
            "<br>".join(f"{code.system} {code.code}" for code in orderable.codes) or "text only",
        ]
        for orderable in files.orderables().values()
    ]
    return (
        HEAD + "# Orders that cards suggest\n\nA site adds its own codings with the file named in "
        "`CDS_ORDER_CODES`:\n\n"
        '```json\n{"magnesium": [{"system": "urn:example:orderables", "code": "LAB-MG"}]}\n```\n\n'
        + table(["key", "label", "kind", "codes"], rows)
    )


def codes_page() -> str:
    """Code lists: how many codes, how many verified."""
    parts = [
        HEAD,
        "# Code lists\n\nThe lists are in `hooks/knowledge/codelists`, the words for the same "
        "concepts in `hooks/knowledge/names`.\n",
    ]
    for folder, count, verified in _code_counts():
        if count is None:
            parts.append(f"\n## {folder}\n\n| concept | codes | verified |\n|---|---|---|\n")
        else:
            parts.append(f"| `{folder}` | {count} | {verified} |\n")
    return "".join(parts)


def _code_counts() -> Iterator[tuple[str, int | None, int]]:
    import csv

    base = ROOT / "hooks/knowledge/codelists"
    for folder in sorted(base.iterdir()):
        if not folder.is_dir():
            continue
        yield folder.name, None, 0
        for file in sorted(folder.glob("*.csv")):
            with file.open(encoding="utf-8", newline="") as text:
                rows = list(csv.DictReader(text))
            yield file.stem, len(rows), sum(row["verified"] == "true" for row in rows)


# --- program -------------------------------------------------------------------------------


def settings_page() -> str:
    """Every setting with its default."""
    from cds_service.settings import Settings, list_settings

    rows = [
        [f"`{entry['variable']}`", entry["default"] or "unset", entry["description"]]
        for entry in list_settings(
            Settings.model_construct(),
            {
                option.name: (option.default, option.default, option.description)
                for option in TOPIC.options
            },
        )
    ]
    return (
        HEAD + "# Settings\n\nSettings are read from the environment; `cds-service settings` lists "
        "them with their current values.\n\n" + table(["variable", "default", "meaning"], rows)
    )


def endpoints_page() -> str:
    """Every address, from the OpenAPI document."""
    from cds_service.app import build, make_parts
    from cds_service.settings import Settings

    app = build(make_parts(Settings(database_url="sqlite:////nonexistent/none.db")))
    document = app.test_client().get("/openapi.json").json
    rows = [
        [
            f"`{method.upper()} {path}`",
            operation.get("summary", ""),
            ", ".join(sorted(operation["responses"])),
        ]
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return (
        HEAD + "# Endpoints\n\nThe whole document, with every shape, is served at `/openapi.json`. "
        "With the demo on, `GET /` is the demo page and `GET /report` the feedback report.\n\n"
        + table(["address", "what", "statuses"], rows)
    )


def metrics_page() -> str:
    """Every metric with its labels."""
    from cds_service.ops.metrics import Metrics

    metrics = Metrics()._registry._collector_to_names
    rows = sorted(
        [f"`{metric._name}`", metric._type, ", ".join(metric._labelnames), metric._documentation]
        for metric in metrics
    )
    return (
        HEAD
        + "# Metrics\n\n`GET /metrics`, in the Prometheus text format, summed over the workers. "
        "Counters have the suffix `_total`. No label ever contains anything of a record.\n\n"
        + table(["metric", "type", "labels", "meaning"], rows)
    )


def errors_page() -> str:
    """Every error with its HTTP status."""
    from cds_service import errors

    rows = []
    for name, error in vars(errors).items():
        if (
            isinstance(error, type)
            and issubclass(error, errors.ServiceError)
            and error is not errors.ServiceError
        ):
            summary = " ".join((error.__doc__ or "").split())
            status = "exit status 1" if error is errors.StartupError else str(error.status)
            rows.append([name, status, error.code, summary])
    return (
        HEAD + "# Errors\n\nOver HTTP every error is an OperationOutcome with the place "
        "(`expression`), what happened and what to do (`diagnostics`). On the command line it "
        "is one line on standard error.\n\n"
        + table(["error", "status", "issue code", "meaning"], rows)
    )


def command_line_page() -> str:
    """Help texts of every command."""
    import click

    from cds_service.cli import main

    parts = [HEAD, "# Command line\n"]
    root = click.Context(
        main, info_name="cds-service", terminal_width=96,
        **{**main.context_settings, "max_content_width": 96},
    )  # fmt: skip
    commands = {"": (main, root)}
    for name, command in sorted(main.commands.items()):
        context = click.Context(command, info_name=name, parent=root, terminal_width=96)
        if name == "population":
            # The first of its two commands is called without its name.
            for child_name, child in command.commands.items():
                shown = name if child_name == "run" else f"{name} {child_name}"
                child_context = click.Context(
                    child, info_name=child_name, parent=context, terminal_width=96
                )
                commands[shown] = (child, child_context)
        else:
            commands[name] = (command, context)
    for name, (command, context) in commands.items():
        parts.append(
            f"\n## cds-service {name}".rstrip() + f"\n\n```\n{command.get_help(context)}\n```\n"
        )
    parts.append(
        "\n## Shell completion\n\nFor bash, in `~/.bashrc`; zsh and fish with `zsh_source` "
        "and `fish_source`:\n\n"
        '```sh\neval "$(_CDS_SERVICE_COMPLETE=bash_source cds-service)"\n```\n'
    )
    return "".join(parts)


def reading_page() -> str:
    """What is read of each FHIR element."""
    from docs import reading

    return reading.page(HEAD, table)


def stale() -> list[str]:
    """The pages that differ from what would be written."""
    return [
        path
        for path, text in pages().items()
        if not (ROOT / "docs" / path).is_file()
        or (ROOT / "docs" / path).read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    if "--check" in sys.argv:
        for path in stale():
            print(f"stale: docs/{path}; run python docs/generate.py")
        sys.exit(bool(stale()))
    for path, text in pages().items():
        target = ROOT / "docs" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"docs/{path}: {len(text.splitlines())} lines")
