"""`new-rule` writes and registers a rule that passes unchanged, or it changes nothing."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from importlib import import_module
from pathlib import Path

import pytest

from cds_service.commands import new_rule
from cds_service.engine.hook import HOOKS, PATIENT_VIEW
from cds_service.errors import BadRequest
from cds_service.new_rule import request
from cds_service.new_rule.direction import side_in_name
from cds_service.new_rule.registering import registered
from cds_service.new_rule.spec import RuleSpec, check_name
from cds_service.new_rule.templates import words_for
from hooks import TOPIC
from tests.cli.conftest import ROOT, Command
from tests.testing.thorough import thorough

SODIUM = ("--hook", "patient-view", "--analyte", "sodium", "--orders", "sodium")
ABI = ("--hook", "order-select", "--analyte", "crp", "--orders", "abi,ecg")
NEW = (
    "hooks/rules/very_low.py",
    "tests/rules/test_very_low.py",
    "fixtures/scenarios/very-low/request.json",
    "fixtures/scenarios/very-low/expected.json",
    "fixtures/scenarios/very-low/why.md",
)


@pytest.fixture
def checkout(tmp_path: Path, cds: Command) -> Path:
    """The folder the command runs in, with what it needs from a source checkout."""
    shutil.copytree(ROOT / "hooks", tmp_path / "hooks")
    for name in ("pyproject.toml", "docs/traceability.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "service", "limits"),
    [
        pytest.param(SODIUM, "patient_view", False, id="by a limit that exists"),
        pytest.param(
            (*ABI, "--above", "100"), "order_select", True, id="with its own limit", marks=thorough
        ),
    ],
)
def test_a_new_rule_is_registered_and_passes_unchanged(
    cds: Command, checkout: Path, words: tuple[str, ...], service: str, limits: bool
) -> None:
    before = files(checkout)
    result = cds("new-rule", "very-low", *words)
    assert (result.err, result.status) == ("", 0)
    after = files(checkout)
    changed = {name for name in after if before.get(name) != after[name]} - set(NEW)
    assert set(NEW) <= after.keys()
    assert changed == {
        f"hooks/{service}.py",
        "docs/traceability.toml",
        *(["hooks/knowledge/limits.toml"] if limits else []),
    }
    wrote = [line for line in result.out.splitlines() if line.startswith("wrote ")]
    assert wrote[: len(NEW)] == [f"wrote {name}" for name in NEW]
    # Tests, linter and formatter pass on the generated files without any edit.
    tested = python(checkout, "pytest", "-q", "-p", "no:cacheprovider", NEW[1])
    assert tested.returncode == 0, tested.stdout
    ours = 'lint.isort.known-first-party = ["cds_service", "hooks"]'
    for arguments in (("check", "--config", ours), ("format", "--check")):
        linted = python(checkout, "ruff", *arguments, NEW[0], NEW[1], f"hooks/{service}.py")
        assert linted.returncode == 0, linted.stdout
    # The check finds it registered, and nothing of it missing but what its author must write.
    checked = python(checkout, "cds_service", "check")
    assert checked.returncode == 1
    assert "very-low" not in checked.stderr
    assert "RULES" not in checked.stderr
    left = re.findall(r"(\S+):(\d+): a placeholder is left: (.*)\.$", checked.stderr, re.M)
    in_rule = {text: int(line) for name, line, text in left if name == NEW[0]}
    assert len(in_rule) == 5
    lines = after[NEW[0]].decode().splitlines()
    assert "advice=" in lines[in_rule["say what the clinician should know or do"] - 1]
    others = {name for name, _, _ in left} - {NEW[0]}
    assert others == {
        "docs/traceability.toml",
        *(["hooks/knowledge/limits.toml"] if limits else []),
    }


@pytest.mark.parametrize("name", ["Low-Sodium", "low_sodium", "../low", "1-low", "low--sodium"])
def test_a_name_that_is_not_a_rule_id_writes_nothing(
    cds: Command, checkout: Path, name: str
) -> None:
    before = files(checkout)
    result = cds("new-rule", name, *SODIUM)
    assert result.status == 1
    assert f"NAME: {name} is not a valid rule id." in result.err
    assert files(checkout) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("class", "class already has a meaning in Python or in the file of a rule"),
        ("tuple", "Choose another name, like low-tuple."),
        ("quoted", "Choose another name, like low-quoted."),
        ("a" * 65, "is longer than 64 characters"),
        ("quinine-active", "the topic leg-cramps already has a rule quinine-active"),
    ],
)
def test_a_name_that_would_not_work_writes_nothing(
    cds: Command, checkout: Path, name: str, message: str
) -> None:
    before = files(checkout)
    result = cds("new-rule", name, *SODIUM)
    assert result.status == 1
    assert message in result.err
    assert files(checkout) == before


def test_a_rule_of_another_topic_is_not_written_again() -> None:
    with pytest.raises(BadRequest, match="the topic gout already has a rule acid-high"):
        check_name("acid-high", {"acid-high": "gout"})


def test_every_word_of_the_templates_is_taken() -> None:
    """A function of that name would hide what the templates import by the same name."""
    for template in ("chart.py.txt", "order.py.txt"):
        text = (ROOT / "cds_service" / "new_rule" / template).read_text(encoding="utf-8")
        block = re.findall(r"^from \S+ import (?:\(([^)]*)\)|(.*))$", text, re.M)
        words = {name.strip() for pair in block for name in ",".join(pair).split(",")}
        for word in sorted(word for word in words if re.fullmatch("[a-z][a-z0-9]*", word)):
            if word != "annotations":
                with pytest.raises(BadRequest, match="has a meaning"):
                    check_name(word)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), f"--hook: this option is missing. Use one of {', '.join(HOOKS)}."),
        (SODIUM[:2], "--analyte: this option is missing. Use one of magnesium, potassium, "),
        (SODIUM[:4], "--orders: this option is missing. Use one of magnesium, potassium, "),
        (("--hook", "nurse-view"), "no hook is called nurse-view. Use one of patient-view, "),
        ((*SODIUM[:2], "--analyte", "zinc", "--orders", "none"), "has no analyte zinc"),
        ((*SODIUM[:4], "--orders", "sodium,zinc"), "has no order zinc. Use one of magnesium, "),
        ((*SODIUM[:4], "--orders", "magnesium_oxide"), "magnesium_oxide is a drug, and a first"),
        (("--hook", "order-sign", *SODIUM[2:4], "--orders", "zinc"), "list of drafts zinc"),
        (("--hook", "order-sign", *SODIUM[2:4], "--orders", "none"), "none are named"),
        ((*SODIUM, "--above", "high"), "has no limit sodium.high, and no number was given"),
        ((*SODIUM, "--below", "few"), "--below: few is not a number"),
        ((*SODIUM, "--below", "9"), "9 mmol/L is not between"),
        ((*SODIUM, "--topic", "gout"), "no topic is called gout"),
        (
            (*SODIUM[:2], "--analyte", "crp", "--orders", "none", "--below", "low"),
            "no limit crp.low",
        ),
    ],
)
def test_the_error_for_an_invalid_option_names_the_valid_values(
    cds: Command, checkout: Path, words: tuple[str, ...], message: str
) -> None:
    before = files(checkout)
    result = cds("new-rule", "very-low", *words)
    assert result.status == 1
    assert message in result.err
    assert files(checkout) == before


def test_a_rule_cannot_fire_below_and_above(cds: Command, checkout: Path) -> None:
    result = cds("new-rule", "very-low", *SODIUM, "--below", "130", "--above", "150")
    assert result.status == 2
    assert "Use either --below or --above" in result.err


def test_at_a_terminal_missing_options_are_prompted_for(
    cds: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["patient-view", "calcium", "none", "2.0"])
    prompts: list[str] = []
    wanted_rules: list[object] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

    def prompt(what: str, default: str | None = None) -> str:
        prompts.append(what)
        return next(answers)

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(new_rule.click, "prompt", prompt)
    monkeypatch.setattr(new_rule, "has_limit", lambda _topic, _wanted: False)
    monkeypatch.setattr(
        new_rule, "write", lambda *arguments: wanted_rules.append(arguments[3]) or []
    )
    assert cds("new-rule", "very-low").status == 0
    assert prompts == [
        "Hook",
        "Analyte",
        "Orders that it offers, or none",
        "It fires below (mmol/L)",
    ]
    (wanted,) = wanted_rules
    assert (wanted.hook, wanted.analyte, wanted.orders, wanted.number) == (  # type: ignore[attr-defined]
        "patient-view", "calcium", (), "2.0",
    )  # fmt: skip


class Terminal(io.StringIO):
    """Answers typed at a terminal, each on its own line."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("words", "typed", "corrections", "expected"),
    [
        (
            (),
            ["patient-veiw", "patient-view", "natrium", "", "sodium", "zinc", "sodium,", ""],
            [
                "no hook is called patient-veiw. Use one of patient-view, order-select, ",
                "leg-cramps has no analyte natrium with a code to search for. Use one of ",
                "leg-cramps has no order zinc. Use one of ",
            ],
            ("patient-view", "sodium", ("sodium",), None),
        ),
        (
            ("--above", "high"),
            ["order-select", "crp", "none", "ecg,abi", "many", "-1", "0.0001", " 90 "],
            [
                "a rule for order-select judges draft orders, but none are named. "
                "Name one or more of ",
                "many is not a number. Write it like 2.1.",
                "-1 mg/L is not between ",
                "0.0001 mg/L is not between ",
            ],
            ("order-select", "crp", ("ecg", "abi"), "90"),
        ),
    ],
)
def test_an_answer_that_cannot_be_used_is_asked_for_again(
    cds: Command,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    typed: list[str],
    corrections: list[str],
    expected: tuple[object, ...],
) -> None:
    specs: list[RuleSpec] = []
    monkeypatch.setattr("sys.stdin", Terminal("\n".join([*typed, ""])))
    monkeypatch.setattr(new_rule, "write", lambda *arguments: specs.append(arguments[3]) or [])
    result = cds("new-rule", "very-low", *words)
    assert result.status == 0, result.err
    lines = result.err.splitlines()
    assert len(lines) == len(corrections)
    for line, correction in zip(lines, corrections, strict=True):
        assert line.startswith(correction)
    (spec,) = specs
    assert (spec.hook, spec.analyte, spec.orders, spec.number) == expected


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "The input ended before --hook was answered: nothing was written."),
        ("order-select\n", "The input ended before --analyte was answered"),
        ("a\nb\n", "The input ended before --hook was answered"),
        ("\nsodium\nzinc", "The input ended before --orders was answered"),
        ("a\nb\nc\nd\ne\n\nsodium\n\n", "None of 5 answers to --hook can be used"),
    ],
)
def test_answers_that_end_or_stay_wrong_are_wrong_usage(
    cds: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch, typed: str, message: str
) -> None:
    before = files(checkout)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    result = cds("new-rule", "very-low")
    assert result.status == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert files(checkout) == before


@pytest.mark.parametrize(
    "words", [("--hook", "nurse-view"), ("--analyte", "zinc"), ("--orders", "zinc")]
)
def test_an_option_that_is_given_is_never_asked_for_again(
    cds: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("\nsodium\n\n"))
    result = cds("new-rule", "very-low", *words)
    assert result.status == 1
    assert f"{words[0]}: " in result.err and words[1] in result.err


def test_an_interrupt_is_not_an_end_of_input(
    cds: Command, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_prompt: str = "") -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("click.termui.visible_prompt_func", interrupted)
    result = cds("new-rule", "very-low")
    assert (result.status, result.err.strip()) == (1, "Aborted!")


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("low-sodium", "below"),
        ("hypocalcaemia", "below"),
        ("iron-deficiency", "below"),
        ("high-calcium", "above"),
        ("severe-hyperkalaemia", "above"),
        ("raised-ferritin-in-adults", "above"),
        ("sodium-not-checked", None),
        ("slow-follow-up", None),
        ("low-calcium-in-hyperparathyroidism", None),
    ],
)
def test_the_name_of_a_rule_says_on_which_side_it_fires(name: str, side: str | None) -> None:
    assert side_in_name(name) == side


@pytest.mark.parametrize(
    ("name", "words", "wanted", "shown"),
    [
        # A limit on the other side is never used instead of the one that the name asks for.
        ("high-sodium", ("--above", "150"), ("150", False), ""),
        ("low-sodium", (), (None, True), "The rule fires below the existing limit sodium.low, 130"),
        ("sodium-again", (), (None, True), "The rule fires below the existing limit sodium.low"),
        ("sodium-again", ("--below", "low"), (None, True), "the existing limit sodium.low"),
        ("low-sodium", ("--above", "150"), ("150", False), ""),
    ],
)
def test_without_a_terminal_the_name_or_the_only_limit_settles_the_side(
    cds: Command,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    words: tuple[str, ...],
    wanted: tuple[str | None, bool],
    shown: str,
) -> None:
    specs: list[RuleSpec] = []
    monkeypatch.setattr(new_rule, "write", lambda *arguments: specs.append(arguments[3]) or [])
    result = cds("new-rule", name, *SODIUM, *words)
    assert result.status == 0, result.err
    assert [(spec.number, spec.below) for spec in specs] == [wanted]
    assert shown in result.out
    assert bool(shown) == ("existing limit" in result.out)


@pytest.mark.parametrize(
    ("name", "analyte", "message"),
    [
        ("high-sodium", "sodium", "--above: leg-cramps has no limit sodium.high, and no number"),
        ("potassium-again", "potassium", "--below: it is not clear whether potassium-again fires"),
        ("crp-again", "crp", "Give --below or --above with a number in mg/L, or with low or high"),
    ],
)
def test_without_a_terminal_an_unclear_side_writes_nothing(
    cds: Command, checkout: Path, name: str, analyte: str, message: str
) -> None:
    before = files(checkout)
    words = ("--hook", "patient-view", "--analyte", analyte, "--orders", "none")
    result = cds("new-rule", name, *words)
    assert result.status == 1
    assert message in result.err
    assert files(checkout) == before


@pytest.mark.parametrize(
    ("name", "typed", "wanted", "shown"),
    [
        ("high-sodium", ["150"], ("150", False), "It fires above (mmol/L)"),
        ("sodium-again", ["up", "above", "150"], ("150", False), "The limit sodium.low is 130"),
        ("sodium-again", [""], (None, True), "The rule fires below the existing limit sodium.low"),
        ("low-sodium", [], (None, True), "The rule fires below the existing limit sodium.low, 130"),
    ],
)
def test_at_a_terminal_the_side_is_asked_for_where_the_name_does_not_say_it(
    cds: Command,
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    typed: list[str],
    wanted: tuple[str | None, bool],
    shown: str,
) -> None:
    specs: list[RuleSpec] = []
    monkeypatch.setattr("sys.stdin", Terminal("\n".join([*typed, ""])))
    monkeypatch.setattr(new_rule, "write", lambda *arguments: specs.append(arguments[3]) or [])
    result = cds("new-rule", name, *SODIUM)
    assert result.status == 0, result.err
    assert [(spec.number, spec.below) for spec in specs] == [wanted]
    assert shown in result.out
    assert ("up is neither below nor above" in result.err) == ("up" in typed)


def test_nothing_is_written_if_one_file_already_exists(cds: Command, checkout: Path) -> None:
    (checkout / "tests" / "rules").mkdir(parents=True)
    (checkout / NEW[1]).write_text("mine", encoding="utf-8")
    before = files(checkout)
    result = cds("new-rule", "very-low", *SODIUM)
    assert result.status == 1
    assert f"{NEW[1]} already exists" in result.err
    assert files(checkout) == before


def test_a_rule_that_exists_is_not_written_again(cds: Command, checkout: Path) -> None:
    before = files(checkout)
    result = cds("new-rule", "low-magnesium", *SODIUM)
    assert result.status == 1
    assert "the topic leg-cramps already has a rule low-magnesium" in result.err
    assert files(checkout) == before


def test_a_topic_without_a_module_for_the_hook_is_told_what_to_write(
    cds: Command, checkout: Path
) -> None:
    (checkout / "hooks" / "patient_view.py").unlink()
    before = files(checkout)
    result = cds("new-rule", "very-low", *SODIUM)
    assert result.status == 1
    assert "--hook: leg-cramps has no rules for patient-view: hooks/patient_view.py" in result.err
    assert files(checkout) == before


def test_if_the_service_does_not_start_with_the_rule_nothing_is_left_behind(
    cds: Command, checkout: Path
) -> None:
    with (checkout / "hooks" / "order_sign.py").open("a", encoding="utf-8") as file:
        file.write("RULES = RULES[0]\n")
    before = files(checkout)
    result = cds("new-rule", "very-low", *SODIUM)
    assert result.status == 1
    assert "the service does not start with the rule" in result.err
    assert files(checkout) == before


def test_outside_a_source_checkout_nothing_is_written(cds: Command, tmp_path: Path) -> None:
    result = cds("new-rule", "very-low", *SODIUM)
    assert result.status == 1
    assert "is not a source checkout" in result.err
    assert files(tmp_path) == {}


def test_a_rule_is_registered_before_the_marker_or_at_the_end() -> None:
    text = (ROOT / "hooks" / "patient_view.py").read_text(encoding="utf-8")
    lines = registered(text, "hooks", "diet").splitlines()
    assert lines.index("from hooks.rules.diet import diet") == 1 + lines.index(
        "from hooks.rules.diabetes import diabetes_not_screened"
    )
    assert lines[lines.index("    diet,") + 1].startswith("    # cds-service new-rule adds above")
    empty = "from cds_service.engine.rule import (\n    Rule,\n)\n\nRULES: tuple[Rule, ...] = ()\n"
    once = registered(empty, "gout", "acid")
    assert once.splitlines()[3] == "from gout.rules.acid import acid"
    assert "RULES: tuple[Rule, ...] = (\n    acid,\n    # cds-service new-rule" in once
    assert "    acid,\n    more,\n)" in registered(
        "import x\nRULES = (\n    acid,\n)\n", "gout", "more"
    )
    with pytest.raises(BadRequest, match="has no RULES"):
        registered("import x\n", "gout", "acid")


def test_every_service_has_the_module_of_its_hook() -> None:
    for service in TOPIC.services:
        module = import_module(f"hooks.{service.hook.module}")
        assert service.rules == module.RULES


def test_drafts_can_be_judged_where_the_hook_has_them() -> None:
    from cds_service.new_rule.spec import orders_of

    for hook in HOOKS.values():
        assert ("quinine" in orders_of(TOPIC, hook)) == hook.drafts


def test_a_topic_is_written_once_and_only_by_a_valid_key(cds: Command, tmp_path: Path) -> None:
    assert cds("new-topic", "Gout").status == 1
    result = cds("new-topic", "gout-flares")
    assert result.status == 0
    assert "wrote gout-flares/gout_flares/__init__.py" in result.out
    assert all(b"$" not in text for text in files(tmp_path / "gout-flares").values())
    written = files(tmp_path / "gout-flares")
    topic = written["gout_flares/__init__.py"].decode()
    # A rule of tier C then cannot tell; by False its trace would deny what nobody looked for.
    assert "complaint=lambda _facts: None" in topic
    assert (
        'not_checked("gout-flares-not-checked", rules, reference="gout-flares-judgement")' in topic
    )
    for hook in HOOKS.values():
        assert hook.when in written[f"gout_flares/{hook.module}.py"].decode()
        assert f'(HOOKS["{hook}"], {hook.module}.RULES)' in topic
    again = cds("new-topic", "gout-flares")
    assert again.status == 1
    assert "exists" in again.err


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("class", "class is a word or a package of Python"),
        ("json", "Choose another key, like json-topic."),
        ("cds-service", "cds_service is a word or a package of Python, or a package that is"),
        ("hooks", "hooks is a word"),
        ("leg-cramps", "a topic leg-cramps is already installed"),
    ],
)
def test_a_topic_whose_package_could_not_be_loaded_is_not_written(
    cds: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = cds("new-topic", key)
    assert result.status == 1
    assert message in result.err
    assert not (tmp_path / key).exists()


@pytest.mark.parametrize(
    ("orders", "needed"),
    [
        (("sodium",), "*OFFERED"),
        (("cbc",), '"hemoglobin", "platelets"'),
        (("creatinine", "abi"), '"abi", "creatinine", "egfr"'),
        ((), "*OFFERED"),
    ],
)
def test_a_rule_needs_the_orders_that_make_its_offers_superfluous(
    orders: tuple[str, ...], needed: str
) -> None:
    spec = RuleSpec("very-low", "patient-view", "sodium", orders, "130")
    words, _ = words_for(TOPIC, spec, date(2026, 11, 28))
    assert words["covered"] == needed


@thorough
def test_a_rule_that_offers_a_panel_passes_unchanged(cds: Command, checkout: Path) -> None:
    words = (*SODIUM[:2], "--analyte", "hemoglobin", "--orders", "cbc,cbc", "--below", "9")
    assert cds("new-rule", "very-low", *words).status == 0
    assert 'OFFERED = ("cbc",)' in (checkout / NEW[0]).read_text(encoding="utf-8")
    tested = python(checkout, "pytest", "-q", "-p", "no:cacheprovider", NEW[1])
    assert tested.returncode == 0, tested.stdout


def test_a_name_that_says_the_other_side_is_pointed_out(cds: Command, checkout: Path) -> None:
    result = cds("new-rule", "hypothyroidism", *SODIUM, "--above", "150")
    assert result.status == 0
    assert "Its name says below, but it fires above its limit, as was asked for." in result.out
    assert "Its name says" not in cds("new-rule", "very-low", *SODIUM).out


def test_the_context_of_another_hook_is_taken_from_the_example_in_its_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dispatched = {"dispatchedOrders": ["ServiceRequest/1"], "patientId": "another"}
    monkeypatch.setattr(request, "schema", lambda _name: {"examples": [dispatched, {}]})
    hook = replace(PATIENT_VIEW, name="order-dispatch", schema="order-dispatch")
    call = request.scenario_request(TOPIC, "low-sodium", hook, "sodium", (), "120")
    assert call["hook"] == "order-dispatch"
    assert call["context"] == {
        "dispatchedOrders": ["ServiceRequest/1"],
        "userId": "Practitioner/example-clinician",
        "patientId": "low-sodium",
    }
