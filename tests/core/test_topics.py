"""Topics that are invalid, alone or together, are refused by name."""

from dataclasses import replace

import pytest

from cds_service.catalogue import topics
from cds_service.catalogue.sites import _Table
from cds_service.core.knowledge import KnowledgeError
from cds_service.demo.question import DemoRequest
from cds_service.engine.arranging import NO_PRIORITIES
from cds_service.engine.checking import check_topics
from cds_service.engine.topic import Topic
from cds_service.errors import StartupError
from cds_service.settings import Settings, read_settings
from hooks import TOPIC

OPTION = TOPIC.options[0]
DRAFTS = next(service for service in TOPIC.services if service.hook.drafts)


def other(**services: object) -> Topic:
    """A topic of one service whose rule is not one of ours."""
    rule = replace(DRAFTS.rules[0], id="another-rule")
    service = replace(DRAFTS, id="another-service", rules=(rule,))
    known = replace(TOPIC.knowledge, priorities=NO_PRIORITIES)
    topic = replace(TOPIC, key="another", knowledge=known)
    return replace(topic, services=(replace(service, **services),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(
            [TOPIC, other(id=TOPIC.services[0].id)],
            f"topic another: service {TOPIC.services[0].id} also belongs to leg-cramps; "
            "rename one of the two",
            id="a service twice",
        ),
        pytest.param(
            [TOPIC, other(rules=DRAFTS.rules[:1])],
            f"topic another: rule {DRAFTS.rules[0].id} also belongs to leg-cramps; "
            "rename one of the two",
            id="a rule twice",
        ),
        pytest.param(
            [replace(other(), services=())],
            "topic another: it has no services",
            id="no services",
        ),
        pytest.param(
            [other(title="")],
            "topic another: service another-service: it has no title",
            id="a service without a title",
        ),
        pytest.param(
            [other(rules=(replace(DRAFTS.rules[0], id="another-rule", judges=(), review=None),))],
            "topic another: rule another-rule: it must say which drafts it judges, because "
            "another-service is for drafts",
            id="a rule about orders that judges none",
        ),
        pytest.param(
            [replace(other(), options=(replace(OPTION, choices=()),))],
            "topic another: option cramps: it needs a lower-case name like a_name, and choices",
            id="an option without choices",
        ),
        pytest.param(
            [replace(other(), options=(replace(OPTION, name="Cramps"),))],
            "topic another: option Cramps: it needs a lower-case name like a_name, and choices",
            id="an option in upper case, which no variable could set",
        ),
        pytest.param(
            [replace(other(), options=(OPTION, OPTION))],
            "topic another: two of its options have the same name",
            id="two options of one name",
        ),
        pytest.param(
            [TOPIC, replace(other(), options=(replace(OPTION, title="Another title"),))],
            "topic another: option cramps contradicts that of leg-cramps: title; make them equal, "
            "or use another key",
            id="an option of which two topics say different things",
        ),
    ],
)
def test_an_invalid_topic_is_refused(given: list[Topic], message: str) -> None:
    with pytest.raises(KnowledgeError) as refused:
        check_topics(given)
    assert str(refused.value) == message


def test_topics_may_share_entries_that_agree() -> None:
    check_topics([TOPIC, other()])


def test_an_entry_that_two_topics_define_differently_is_refused() -> None:
    known = other().knowledge
    key, entry = next(iter(known.references.items()))
    changed = {**known.references, key: replace(entry, label="Another label")}
    wrong = replace(other(), knowledge=replace(known, references=changed))
    with pytest.raises(KnowledgeError, match=f"reference {key} contradicts that of leg-cramps"):
        check_topics([TOPIC, wrong])


@pytest.mark.parametrize("name", ["card_detail", "profile", "silent", "hook", "fhir_servers"])
def test_an_option_has_no_name_of_a_setting_a_site_or_the_demo_page(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = replace(TOPIC, options=(replace(OPTION, name=name),))
    monkeypatch.setattr(topics, "_installed", lambda _: {topic.key: topic})
    with pytest.raises(StartupError, match=f"option {name}: the service already uses this name"):
        topics.chosen_topics(Settings())


def test_the_reserved_names_are_those_of_sites_and_the_demo_page() -> None:
    names = {*_Table.model_fields, *DemoRequest.__struct_fields__}
    assert names == topics.RESERVED


def test_a_topic_without_choices_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    topic = replace(TOPIC, options=(replace(OPTION, choices=()),))
    monkeypatch.setattr(topics, "_installed", lambda _: {topic.key: topic})
    with pytest.raises(StartupError, match="it needs a lower-case name like a_name, and choices"):
        topics.chosen_topics(Settings())


def test_a_wrong_value_for_a_topic_that_is_not_served_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed = {"another": replace(other(), options=()), TOPIC.key: TOPIC}
    monkeypatch.setattr(topics, "_installed", lambda _: installed)
    monkeypatch.setenv("CDS_CRAMPS", "perhaps")
    with pytest.raises(StartupError, match="CDS_CRAMPS: Input should be 'documented' or 'assumed'"):
        topics.chosen_topics(read_settings(topics=("another",)))
