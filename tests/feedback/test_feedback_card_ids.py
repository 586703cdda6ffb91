"""Card ids: their layout, what they tell, and what they do not."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import StartupError
from cds_service.feedback import rules_seen
from cds_service.feedback.card_ids import (
    CardId,
    CardIds,
    RuleVersion,
    canonical,
    read_card_id,
    rule_tag,
    version_tag,
)
from cds_service.feedback.rules_seen import RulesSeen

KEY = b"a key for tests only"
CARD = ("low-magnesium", "1.2.0", "https://fhir.example|p1", ("magnesium 0.5", "2026-11-01"))


def _ids(random: int = 0, key: bytes = KEY) -> CardIds:
    return CardIds(key, random_bits=lambda bits: random)


def test_the_layout_is_the_documented_one() -> None:
    made = uuid.UUID(_ids(random=0x2AAAAA).new(*CARD))
    assert made.version == 8
    assert made.variant == uuid.RFC_4122
    assert made.int >> 96 == rule_tag("low-magnesium")
    assert made.int >> 80 & 0xFFFF == version_tag("1.2.0")
    assert made.int & 0x3FFFFF == 0x2AAAAA


def test_ids_stay_the_same_for_ever() -> None:
    # Stored answers and counts hang on these values: a change here orphans them.
    assert _ids(random=1).new(*CARD) == "3c368aac-764b-8e66-85f8-5ff368000001"


@given(
    key=st.binary(min_size=16, max_size=64),
    rule=st.text(),
    patient=st.text(),
    evidence=st.lists(st.text()),
    random=st.integers(0, 2**22 - 1),
)
def test_every_part_is_read_back(
    key: bytes, rule: str, patient: str, evidence: list[str], random: int
) -> None:
    ids = _ids(random, key)
    card = ids.new(rule, "1.0.0", patient, evidence)
    read = read_card_id(card)
    assert read == CardId(rule_tag(rule), version_tag("1.0.0"), ids.digest_of(card) or 0, random)
    assert ids.matches(card, rule, "1.0.0", patient, evidence)


def test_the_same_card_twice_has_two_ids_and_one_digest() -> None:
    ids = CardIds(KEY)
    first, second = ids.new(*CARD), ids.new(*CARD)
    assert first != second
    assert ids.digest_of(first) == ids.digest_of(second)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(("other-rule", *CARD[1:]), id="another rule"),
        pytest.param((CARD[0], "1.2.1", *CARD[2:]), id="another version"),
        pytest.param((*CARD[:2], "https://fhir.example|p2", CARD[3]), id="another patient"),
        pytest.param((*CARD[:3], ("magnesium 0.6", "2026-11-01")), id="new evidence"),
        pytest.param((*CARD[:3], ("magnesium 0.52026-11-01",)), id="the same text, cut elsewhere"),
    ],
)
def test_anything_else_is_another_card(other: tuple[str, str, str, tuple[str, ...]]) -> None:
    ids = _ids()
    card = ids.new(*CARD)
    assert ids.digest_of(ids.new(*other)) != ids.digest_of(card)
    assert not ids.matches(card, *other)
    assert ids.matches(card, *CARD)


def test_the_order_of_the_evidence_does_not_matter() -> None:
    ids = _ids()
    assert ids.new(*CARD) == ids.new(*CARD[:3], tuple(reversed(CARD[3])))


def test_without_the_key_a_card_is_not_recognised() -> None:
    card = _ids().new(*CARD)
    other = _ids(key=b"another key entirely")
    assert not other.matches(card, *CARD)
    assert other.rule_of(card, [RuleVersion("low-magnesium", "1.2.0")]) == RuleVersion(*CARD[:2])


def test_a_new_key_is_used_from_then_on() -> None:
    ids = _ids()
    before = ids.new(*CARD)
    ids.use(b"another key entirely")
    assert ids.new(*CARD) != before


@pytest.mark.parametrize(
    "card",
    [
        "not a uuid",
        "",
        pytest.param("4e0a2fb1-6e4b-4f0e-8f5d-3e9f0c6a1b2c", id="a random UUID (version 4)"),
        pytest.param("4e0a2fb1-6e4b-8f0e-cf5d-3e9f0c6a1b2c", id="version 8 of another variant"),
    ],
)
def test_a_foreign_id_says_nothing(card: str) -> None:
    ids = _ids()
    assert read_card_id(card) is None
    assert ids.digest_of(card) is None
    assert ids.rule_of(card, [RuleVersion("low-magnesium", "1.2.0")]) is None
    assert not ids.matches(card, *CARD)


def test_the_rule_is_found_only_among_those_known() -> None:
    ids = _ids()
    assert ids.rule_of(ids.new(*CARD), [RuleVersion("low-magnesium", "1.1.0")]) is None
    assert ids.rule_of(ids.new(*CARD), [RuleVersion("other-rule", "1.2.0")]) is None


def test_one_writing_of_an_id_is_kept() -> None:
    card = _ids().new(*CARD)
    assert canonical(card.upper()) == canonical(f"urn:uuid:{card}") == card
    assert canonical("Card-7") == "Card-7"


def test_two_rules_with_one_tag_refuse_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.feedback.rules_seen.rule_tag", lambda rule: 7)
    RulesSeen([RuleVersion("a", "1"), RuleVersion("a", "2")])
    with pytest.raises(StartupError, match="a and b"):
        RulesSeen([RuleVersion("a", "1"), RuleVersion("b", "1")])


def test_two_rules_that_ids_cannot_tell_apart_refuse_to_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules_seen, "rule_tag", lambda _rule: 7)
    RulesSeen([RuleVersion("one", "1.0.0"), RuleVersion("one", "1.1.0")])
    with pytest.raises(StartupError, match="one and other have the same tag"):
        RulesSeen([RuleVersion("one", "1.0.0"), RuleVersion("other", "1.0.0")])
