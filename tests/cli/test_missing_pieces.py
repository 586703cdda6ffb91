"""Each kind of piece that is removed from leg cramps is named by ``cds-service check``.

Each test removes one piece from a copy of the files and runs the command on the copy.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT
from tests.testing import programs

SCRIPT = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "hooks"]:
    del sys.modules[name]
sys.path.insert(0, ".")
from cds_service.cli import main
main.main(["check"], prog_name="cds-service")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A source checkout with leg cramps and one scenario."""
    shutil.copytree(ROOT / "hooks", tmp_path / "hooks")  # compiled, too: that takes longest
    scenario = Path("fixtures/scenarios/low-magnesium")
    shutil.copytree(ROOT / scenario, tmp_path / scenario)
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def checked(checkout: Path) -> list[str]:
    """What the command prints about the topic, without what the small checkout always lacks."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    environ["CDS_DATABASE_URL"] = f"sqlite:///{checkout}/records.db"
    process = programs.run_program("-c", SCRIPT, folder=checkout, environ=environ)
    assert process.returncode == 1
    assert process.stdout == ""
    lines = process.stderr.splitlines()
    # No log lines and no traceback among the sentences.
    assert [line for line in lines if not line.startswith("cds-service: topic leg-cramps: ")] == []
    always = (": nothing says why it exists", ": no file of tests/rules", ": no scenario shows")
    sentences = [line.removeprefix("cds-service: topic leg-cramps: ") for line in lines]
    return [sentence for sentence in sentences if not any(text in sentence for text in always)]


Change = Callable[[str], str]


def without_block(header: str) -> Change:
    """Removes ``[header]`` and its lines, up to the next ``[`` of another entry."""
    key = header.strip("[]")

    def change(text: str) -> str:
        before, _, after = text.partition(f"\n{header}\n")
        following = re.search(rf"^\[(?!\[{re.escape(key)}\.)", after, re.MULTILINE)
        return f"{before}\n{after[following.start() :] if following else ''}"

    return change


def replaced(old: str, new: str) -> Change:
    return lambda text: text.replace(old, new, 1)


def emptied(_text: str) -> str:
    return ""


def test_nothing_is_reported_before_a_piece_is_removed(checkout: Path) -> None:
    assert checked(checkout) == []


LINE = r"\d+"


@pytest.mark.parametrize(
    ("file", "change", "messages"),
    [
        pytest.param(
            "knowledge/references.toml",
            without_block("[aasm-2025]"),
            [
                rf"hooks/rules/iron\.py:{LINE}: rule low-ferritin: reference aasm-2025 is not in "
                r"the references\. Add to hooks/knowledge/references\.toml: \[aasm-2025\] with "
                r"label, citation and kind\.",
                rf"hooks/knowledge/limits\.toml:{LINE}: limit ferritin\.rls: its reference "
                r"aasm-2025 is not in the references\. Add to .*",
            ],
            id="a reference",
        ),
        pytest.param(
            "knowledge/references.toml",
            emptied,
            [
                rf"hooks/rules/low_magnesium\.py:{LINE}: rule low-magnesium: reference article is "
                r"not in the references\. Add to .*",
            ],
            id="all references",
        ),
        pytest.param(
            "knowledge/limits.toml",
            without_block('["magnesium.low"]'),
            [
                rf"hooks/rules/low_magnesium\.py:{LINE}: rule low-magnesium: limit magnesium\.low "
                r"is not in the limits\. Add to hooks/knowledge/limits\.toml: "
                r'\["magnesium\.low"\] with value, unit, reference, checked and meaning\.',
            ],
            id="a limit",
        ),
        pytest.param(
            "knowledge/limits.toml",
            emptied,
            [rf"hooks/rules/anemia\.py:{LINE}: rule anemia: limit \S+ is not in the limits\. .*"],
            id="all limits",
        ),
        pytest.param(
            "knowledge/orders.toml",
            without_block("[abi]"),
            [
                rf"hooks/rules/vascular\.py:{LINE}: rule claudication-mimic: order abi is not in "
                r"the orders\. Add to hooks/knowledge/orders\.toml: \[abi\] with label, covers and "
                r"codes\.",
            ],
            id="an order",
        ),
        pytest.param(
            "knowledge/orders.toml",
            without_block("[ferritin]"),
            [
                rf"hooks/rules/\w+\.py:{LINE}: rule \S+: order ferritin is not in the orders\. "
                r'Add to \[ferritin\] in hooks/knowledge/analytes\.toml: order = "Ferritin"\.',
            ],
            id="the order of an analyte",
        ),
        pytest.param(
            "knowledge/analytes.toml",
            without_block("[ferritin]"),
            [
                rf"hooks/rules/iron\.py:{LINE}: rule low-ferritin: analyte ferritin is not in the "
                r"analytes\. Add to hooks/knowledge/analytes\.toml: \[ferritin\] with name, "
                r"canonical, decimals, plausible and unit\.",
            ],
            id="an analyte",
        ),
        pytest.param(
            "knowledge/analytes.toml",
            emptied,
            [rf"hooks/rules/iron\.py:{LINE}: rule low-ferritin: analyte ferritin is not in .*"],
            id="all analytes",
        ),
        pytest.param(
            "knowledge/names/observations.csv",
            lambda text: f"{text.splitlines()[0]}\n",
            [
                rf"hooks/knowledge/analytes\.toml:{LINE}: analyte ferritin: it has no name, so "
                r"a result without a code is not read\. Add to \[ferritin\] in "
                r'hooks/knowledge/analytes\.toml: names = \["ferritin"\]\.',
            ],
            id="names",
        ),
        pytest.param(
            "knowledge/names/orders.csv",
            lambda text: f"{text.splitlines()[0]}\n",
            [
                rf"hooks/knowledge/orders\.toml:{LINE}: order referral_vascular: it covers "
                r"referral_vascular, which is not an analyte and is in no code list or name list "
                r"of orders or medications\. Add .*",
                rf"hooks/rules/referral\.py:{LINE}: rule specialist-referral: no code list or "
                r"name list of orders has referral_vascular\. Add "
                r"hooks/knowledge/codelists/orders/referral_vascular\.csv\.",
            ],
            id="names of orders",
        ),
        pytest.param(
            "wording.py",
            replaced('"action-completed"', '"action-complete"'),
            [
                rf"hooks/rules/low_magnesium\.py:{LINE}: rule low-magnesium: action-complete is "
                r"not a known override reason\. Use one of .*action-completed.*",
            ],
            id="an override reason",
        ),
        pytest.param(
            "priorities.py",
            replaced('"low-ferritin"', '"low-feritin"'),
            [
                rf"hooks/priorities\.py:{LINE}: priorities: no rule of the topic is called "
                r"low-feritin\. Add the rule to a service, or remove the priority\.",
            ],
            id="the rule of a priority",
        ),
        pytest.param(
            "patient_view.py",
            replaced("\n    low_ferritin,", ""),
            [
                rf"hooks/rules/iron\.py:{LINE}: rule low-ferritin: no service uses it\. Add to .*",
                rf"hooks/priorities\.py:{LINE}: priorities: no rule of the topic is called .*",
            ],
            id="a rule",
        ),
    ],
)
def test_what_is_missing_is_named_with_file_and_line_before_any_scenario_is_answered(
    checkout: Path, file: str, change: Change, messages: list[str]
) -> None:
    path = checkout / "hooks" / file
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")
    sentences = checked(checkout)
    for message in messages:
        found = [sentence for sentence in sentences if re.fullmatch(message, sentence)]
        assert found, sentences
        name, line = found[0].split(":")[:2]
        assert int(line) <= len((checkout / name).read_text(encoding="utf-8").splitlines())
    assert sentences[-1] == "fixtures/scenarios: not answered because of what is wrong above."


@pytest.mark.parametrize(
    ("file", "old", "new", "header", "sentence"),
    [
        (
            "limits.toml", "meaning = ", 'meaning = ""  # ', '["magnesium.low"]',
            'limit magnesium.low: it has no meaning. Add to ["magnesium.low"] in '
            'hooks/knowledge/limits.toml: meaning = "…".',
        ),
        (
            "references.toml", "label = ", 'label = ""  # ', "[article]",
            "reference article: it has no label. Add to [article] in "
            'hooks/knowledge/references.toml: label = "…".',
        ),
        (
            "orders.toml", 'covers = ["abi"]', 'covers = ["abi", "gold"]', "[abi]",
            "order abi: it covers gold, which is not an analyte and is in no code list or name "
            "list of orders or medications. Add hooks/knowledge/codelists/orders/gold.csv, or "
            "remove gold from covers of [abi] in hooks/knowledge/orders.toml.",
        ),
        (
            "orders.toml", 'covers = ["abi"]', "covers = []", "[abi]",
            "order abi: it covers nothing, so it is offered even where it is already ordered. "
            'Add to [abi] in hooks/knowledge/orders.toml: covers = ["abi"].',
        ),
    ],
)  # fmt: skip
def test_the_entry_at_fault_is_named_by_file_and_line_with_what_to_add(
    checkout: Path, file: str, old: str, new: str, header: str, sentence: str
) -> None:
    path = checkout / "hooks" / "knowledge" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = text.splitlines().index(header) + 1
    assert checked(checkout) == [
        f"hooks/knowledge/{file}:{line}: {sentence}",
        "fixtures/scenarios: not answered because of what is wrong above.",
    ]


def test_a_fault_in_a_scenario_is_a_sentence_and_not_a_log_line(checkout: Path) -> None:
    path = checkout / "hooks" / "rules" / "low_magnesium.py"
    text = path.read_text(encoding="utf-8")
    assert "        advice=" in text
    path.write_text(text.replace("        advice=", '        reference="x",\n        advice=', 1))
    (sentence,) = checked(checkout)
    assert sentence.startswith("hooks/rules/low_magnesium.py:")
    assert "rule low-magnesium: KeyError at " in sentence
    assert sentence.endswith(" (in the scenario low-magnesium).")
