"""Each flaw of a topic refuses the start, which names the topic, the entry and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from msgspec import structs

from cds_service.catalogue import topics
from cds_service.core.facts import Kind
from cds_service.core.knowledge import KnowledgeError, Limits
from cds_service.core.observing import ObservedCondition
from cds_service.core.patient import Facts
from cds_service.core.series import Newest, Worse
from cds_service.core.times import days
from cds_service.engine.arranging import Priority
from cds_service.engine.checking import check_topics
from cds_service.engine.flaws import flaws
from cds_service.engine.hook import ORDER_SELECT, PATIENT_VIEW
from cds_service.engine.rule import (
    Answer,
    Need,
    NotFired,
    Rule,
    Tier,
    allergies,
    conditions,
    demographics,
    medications,
    orders,
    performed,
    results,
    reviewing,
    rule,
)
from cds_service.engine.topic import Service, Topic
from cds_service.errors import StartupError
from cds_service.settings import Settings
from cds_service.terminology.codes import CodeError
from hooks import TOPIC

MONTH = days(30)
KNOWN = TOPIC.knowledge


@rule(
    id="sound",
    title="A sound rule",
    version="1.0.0",
    changed="2026-11-23",
    tier=Tier.ALWAYS,
    references=["article"],
    limits=["magnesium.low"],
    offers=["magnesium"],
    overrides=["patient-refuses"],
    judges=["quinine"],
    needs=[
        results("magnesium", MONTH),
        performed("panel_blood_count", MONTH),
        conditions("leg_cramps"),
        conditions(),
        medications("quinine"),
        allergies("quinine_hypersensitivity"),
        orders("magnesium"),
        demographics(),
    ],
)
def sound(_facts: Facts) -> Answer:
    """It never fires."""
    return NotFired("")


SERVICE = Service("calcium-order-select", ORDER_SELECT, "Calcium", "Calcium.", (sound,))


def topic(*rules: Rule, **knowledge: Any) -> Topic:
    """A sound topic with these rules, and some of the knowledge replaced."""
    known = replace(KNOWN, priorities=structs.replace(KNOWN.priorities, kinds={}))
    service = replace(SERVICE, rules=rules or (sound,))
    return Topic("calcium", (service,), replace(known, **knowledge))


def start(*given: Topic) -> str:
    """Why the topics are refused."""
    with pytest.raises(KnowledgeError) as refused:
        check_topics(given)
    return str(refused.value)


def test_a_sound_topic_is_not_refused() -> None:
    check_topics([topic()])
    assert list(flaws(topic())) == []
    assert list(flaws(TOPIC)) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "it has no id"),
        ({"title": ""}, "it has no title"),
        ({"version": ""}, "it has no version"),
        ({"owner": ""}, "it has no owner"),
        ({"changed": ""}, "it has no changed"),
        ({"references": ()}, "it has no references"),
        ({"needs": ()}, "it has no needs"),
        ({"id": "low calcium"}, "its id is not valid"),
        ({"id": "low/calcium"}, "its id is not valid"),
        ({"id": "-low"}, "its id is not valid"),
        ({"document": " "}, "its function has no docstring, from which its page is made"),
        ({"check": None}, "it has no function, so it never answers"),
        ({"version": "a.b.c"}, "version a.b.c is not like 1.0.0"),
        ({"version": "1.0"}, "version 1.0 is not like 1.0.0"),
        ({"version": "1.0.0-beta"}, "version 1.0.0-beta is not like 1.0.0"),
        ({"version": "1.0.0\n"}, "version 1.0.0\n is not like 1.0.0"),
        ({"changed": "yesterday"}, "changed: yesterday is not a day like 2026-11-27"),
        ({"changed": "2026-13-01"}, "changed: 2026-13-01 is not a day like 2026-11-27"),
        ({"references": ("hearsay",)}, "reference hearsay is not in the references"),
        ({"limits": ("calcium.imagined",)}, "limit calcium.imagined is not in the limits"),
        ({"offers": ("moonlight",)}, "order moonlight is not in the orders"),
        ({"overrides": ("no-mood",)}, "no-mood is not a known override reason"),
        (
            {"judges": frozenset({"elixir"})},
            "no code list or name list of medications or orders has elixir",
        ),
        (
            {"judges": frozenset({"leg_cramps"})},
            "no code list or name list of medications or orders has leg_cramps",
        ),
    ],
)
def test_a_rule_that_lacks_something_is_refused_by_name(
    change: dict[str, object], message: str
) -> None:
    changed = replace(sound, **change)  # type: ignore[arg-type]
    assert start(topic(changed)) == f"topic calcium: rule {changed.id}: {message}"


@pytest.mark.parametrize(
    ("need", "message"),
    [
        (results("unobtainium", MONTH), "analyte unobtainium is not in the analytes"),
        (results("leg_cramps", MONTH), "analyte leg_cramps is not in the analytes"),
        (
            Need(Kind.RESULTS, "magnesium"),
            "it needs results of magnesium without saying how far back",
        ),
        (
            Need(Kind.RESULTS, concepts=("panel_blood_count",)),
            "it needs results of panel_blood_count without saying how far back",
        ),
        (Need(Kind.RESULTS, within=MONTH), "it needs results without saying which"),
        (
            Need(Kind.CONDITIONS, "magnesium"),
            "it needs the analyte magnesium from conditions, which has none",
        ),
        (conditions("gout"), "no code list or name list of conditions has gout"),
        (conditions("rls", "quinine"), "no code list or name list of conditions has quinine"),
        (medications("elixir"), "no code list or name list of medications has elixir"),
        (allergies("peanut"), "no code list or name list of allergies has peanut"),
        (allergies("quinine"), "no code list or name list of allergies has quinine"),
        (orders("xray"), "no code list or name list of orders has xray"),
        (
            performed("panel_moon", MONTH),
            "no code list or name list of observations has panel_moon",
        ),
        (
            Need(Kind.STATEMENTS, concepts=("elixir",)),
            "no code list or name list of medications has elixir",
        ),
        (Need(Kind.PATIENT, concepts=("old",)), "it looks for old in patient, which has no lists"),
    ],
)
def test_a_need_that_nothing_can_meet_is_refused(need: Need, message: str) -> None:
    changed = replace(sound, needs=(*sound.needs, need))
    assert start(topic(changed)) == f"topic calcium: rule sound: {message}"


def limits_with(**change: Any) -> dict[str, Any]:
    """Limits of which that of magnesium is changed."""
    own = KNOWN.limits(None, "")
    changed = Limits({**own, "magnesium.low": replace(own["magnesium.low"], **change)})
    return {"limits": lambda _given, _where: changed}


def entry(table: str, name: str, /, **change: Any) -> dict[str, Any]:
    """One of the tables of the knowledge with a changed entry."""
    entries = getattr(KNOWN, table)
    return {table: {**entries, name: replace(entries[name], **change)}}


def without_names(concept: str) -> dict[str, Any]:
    """Observations in which no name stands for ``concept``."""
    from cds_service.terminology.vocabulary import Vocabulary
    from hooks.knowledge.files import FOLDER

    names = [name for name in FOLDER.name_list("observations") if name.concept != concept]
    bare = Vocabulary(FOLDER.code_lists("observations"), names)
    return {"vocabularies": replace(KNOWN.vocabularies, observations=bare)}


def nothing(_facts: Facts, _worse: Worse) -> Newest | None:
    return None


def observing(**change: Any) -> dict[str, Any]:
    return {"observing": replace(KNOWN.observing, **change)}


def pregnancy(**change: Any) -> ObservedCondition:
    return replace(KNOWN.observing.conditions[0], **change)


@pytest.mark.parametrize(
    ("knowledge", "message"),
    [
        (limits_with(meaning=""), "limit magnesium.low: it has no meaning"),
        (limits_with(unit=""), "limit magnesium.low: it has no unit"),
        (
            limits_with(reference="hearsay"),
            "limit magnesium.low: its reference hearsay is not in the references",
        ),
        (limits_with(key="low"), "limit magnesium.low: its own key is low"),
        (entry("references", "article", label=""), "reference article: it has no label"),
        (entry("references", "article", citation=""), "reference article: it has no citation"),
        (
            entry("references", "article", kind="trial", url=""),
            "reference article: it has no url, although it is a primary source",
        ),
        (entry("orderables", "magnesium", label=""), "order magnesium: it has no label"),
        (
            entry("orderables", "magnesium", covers=frozenset()),
            "order magnesium: it covers nothing, so it is offered even where it is already ordered",
        ),
        (
            entry("orderables", "magnesium", covers=frozenset({"magnesium", "gold"})),
            "order magnesium: it covers gold, which is not an analyte and is in no code list or "
            "name list of orders or medications",
        ),
        (
            entry("orderables", "magnesium", codes=(), medication=True),
            "order magnesium: it is a medication without a code",
        ),
        (entry("orderables", "magnesium", key="mg"), "order magnesium: its own key is mg"),
        (
            entry("analytes", "magnesium", units={}),
            "analyte magnesium: it has no unit, so no result is read",
        ),
        (
            {"codes": lambda key: () if key == "ferritin" else KNOWN.codes(key)},
            "analyte ferritin: it has no code to search for",
        ),
        (
            without_names("ferritin"),
            "analyte ferritin: it has no name, so a result without a code is not read",
        ),
        (
            {"priorities": structs.replace(KNOWN.priorities, kinds={"made-up": Priority.HAZARD})},
            "priorities: no rule of the topic is called made-up",
        ),
        ({"computed": {"gold": nothing}}, "computed: analyte gold is not in the analytes"),
        (
            observing(methods={"gold_method": "gold"}),
            "observing: no code list or name list of observations has gold_method",
        ),
        (
            observing(instead={"gfr_measured": ("gold", "it is gold")}),
            "observing: analyte gold is not in the analytes",
        ),
        (
            observing(conditions=(pregnancy(key="gold_status"),)),
            "observing: no code list or name list of observations has gold_status",
        ),
        (
            observing(conditions=(pregnancy(condition="gold"),)),
            "observing: no code list or name list of conditions has gold",
        ),
    ],
)
def test_wrong_or_missing_knowledge_is_refused(knowledge: dict[str, Any], message: str) -> None:
    assert start(topic(**knowledge)) == f"topic calcium: {message}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "service : it has no id"),
        ({"id": "a b"}, "service a b: its id is not valid"),
        ({"title": ""}, "service calcium-order-select: it has no title"),
        ({"rules": ()}, "service calcium-order-select: it has no rules"),
        (
            {"rules": (sound, replace(sound, document="Another."))},
            "rule sound: two rules of calcium-order-select have this id",
        ),
        (
            {"rules": (sound, sound)},
            "rule sound: two rules of calcium-order-select have this id",
        ),
    ],
)
def test_a_wrong_service_is_refused(change: dict[str, Any], message: str) -> None:
    changed = replace(topic(), services=(replace(SERVICE, **change),))
    assert start(changed) == f"topic calcium: {message}"


def test_two_services_with_one_id_are_refused() -> None:
    twice = replace(topic(), services=(SERVICE, replace(SERVICE, title="Another")))
    assert start(twice) == "topic calcium: service calcium-order-select: two services have this id"


def test_a_rule_may_have_a_function_for_each_service_but_only_one_title_and_version() -> None:
    def review(_facts: Facts, _outcomes: object) -> Answer:
        """It reviews."""
        return NotFired("")

    other = reviewing(sound, review)
    second = replace(SERVICE, id="calcium-other", rules=(other,))
    check_topics([replace(topic(), services=(SERVICE, second))])
    newer = replace(second, rules=(replace(other, version="2.0.0"),))
    assert start(replace(topic(), services=(SERVICE, newer))) == (
        "topic calcium: rule sound: another rule with this id has another title or version"
    )


@pytest.mark.parametrize("key", ["", " ", "low calcium", "a/b"])
def test_a_topic_has_a_valid_key(key: str) -> None:
    assert start(replace(topic(), key=key)).endswith(f"{key!r} is not a valid key of a topic")


@pytest.mark.parametrize("error", [KnowledgeError("limits.toml: x"), CodeError("x", "y", "z:1")])
def test_a_file_that_cannot_be_read_is_named_with_its_topic(error: Exception) -> None:
    def limits(*_: object) -> Limits:
        raise error

    assert start(topic(limits=limits)) == f"topic calcium: {error}"


def test_code_of_a_topic_that_fails_is_named_by_file_and_line() -> None:
    def codes(key: str) -> tuple[()]:
        return {"gold": ()}[key]  # type: ignore[return-value]

    for broken in (topic(codes=codes), topic(replace(sound, version=1))):
        message = start(broken)
        assert message.startswith("topic calcium: it cannot be checked: ")
        assert message.rpartition(":")[2].removesuffix(")").isdigit()


def test_a_day_in_the_future_does_not_refuse_the_start_because_its_clock_may_be_wrong() -> None:
    late = topic(replace(sound, changed="2026-11-29"), **limits_with(checked=date(2026, 11, 30)))
    check_topics([late])
    assert [str(flaw) for flaw in flaws(late, today=date(2026, 11, 29))] == [
        "limit magnesium.low: checked: 2026-11-30 is in the future"
    ]
    assert [str(flaw) for flaw in flaws(late, today=date(2026, 11, 28))] == [
        "rule sound: changed: 2026-11-29 is in the future",
        "limit magnesium.low: checked: 2026-11-30 is in the future",
    ]


def test_a_rule_that_judges_drafts_is_refused_where_there_are_none() -> None:
    """It would never fire, and nothing would say so."""
    view = replace(SERVICE, id="calcium-patient-view", hook=PATIENT_VIEW)
    both = replace(topic(), services=(SERVICE, view))
    assert start(both) == (
        "topic calcium: rule sound: it never answers in calcium-patient-view: it judges drafts, "
        "and there are none"
    )
    assert [flaw.fix for flaw in flaws(both)] == [
        "Remove judges from its @rule, or the rule from calcium-patient-view."
    ]


@pytest.mark.parametrize(
    ("offers", "needs", "said"),
    [
        (("cbc",), (conditions(),), ['it offers cbc and reads no orders, .* Add orders."hemo']),
        (
            ("magnesium", "ecg", "magnesium_oxide"),
            (conditions(),),
            [
                'magnesium, ecg and reads no orders, .* Add orders."ecg", "magnesium".',
                'magnesium_oxide and reads no medications, .* Add medications."magnesium".',
            ],
        ),
        (("magnesium_oxide",), (orders("magnesium"),), ["reads no medications"]),
        (("magnesium",), (medications("magnesium"),), ["reads no orders"]),
        (("magnesium", "magnesium_oxide"), (orders("ecg"), medications("quinine")), []),
        ((), (conditions(),), []),
    ],
)
def test_a_rule_that_offers_without_reading_what_is_ordered_is_refused(
    offers: tuple[str, ...], needs: tuple[Need, ...], said: list[str]
) -> None:
    found = [
        f"{flaw}. {flaw.fix}" for flaw in flaws(topic(replace(sound, offers=offers, needs=needs)))
    ]
    assert len(found) == len(said)
    for text, pattern in zip(found, said, strict=True):
        assert re.search(pattern, text), text


def test_a_hook_without_a_schema_refuses_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    service = replace(SERVICE, hook=replace(ORDER_SELECT, name="tea-break", schema="tea-break"))
    changed = replace(topic(), services=(service,))
    monkeypatch.setattr(topics, "_installed", lambda _: {changed.key: changed})
    with pytest.raises(StartupError, match="hook tea-break: no JSON Schema of its context is "):
        topics.chosen_topics(Settings())


@pytest.mark.parametrize(
    "break_it",
    [
        lambda: topic(replace(sound, needs=(conditions("gout"),))),
        lambda: topic(**limits_with(meaning="")),
        lambda: replace(topic(), services=()),
    ],
)
def test_a_start_names_the_flaw_and_the_command_that_lists_all(
    break_it: Callable[[], Topic], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = break_it()
    monkeypatch.setattr(topics, "_installed", lambda _: {broken.key: broken})
    with pytest.raises(StartupError, match=r"topic calcium: .*cds-service check"):
        topics.chosen_topics(Settings())
