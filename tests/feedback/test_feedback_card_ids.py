"""Card ids: their layout, what they reveal, and what they do not."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.core.identity import ANYBODY, Identity, Origin
from cds_service.errors import StartupError
from cds_service.feedback import rules_seen
from cds_service.feedback.card_ids import (
    CardIds,
    RuleVersion,
    canonical,
    read_card_id,
    rule_tag,
    version_tag,
)
from cds_service.feedback.rules_seen import RulesSeen

KEY = b"a key for tests only"
HERE = Origin("https://ehr.example", "north", "a")
EVIDENCE = ("magnesium 0.5", "2026-11-01")
CARD = ("low-magnesium", "1.2.0", Identity(HERE, "https://fhir.example", "p1"), EVIDENCE)


def _ids(random: int = 0, key: bytes = KEY) -> CardIds:
    return CardIds(key, random_bits=lambda bits: random)


def _digest(card: str) -> int:
    parts = read_card_id(card)
    assert parts is not None
    return parts.digest


def test_the_layout_is_the_documented_one() -> None:
    card = uuid.UUID(_ids(random=0x2AA).new(*CARD))
    assert card.version == 8
    assert card.variant == uuid.RFC_4122
    assert card.int >> 104 == rule_tag("low-magnesium") < 2**24
    assert card.int >> 92 & 0xFFF == version_tag("1.2.0") < 2**12
    assert card.int >> 32 & 0x3FF == 0x2AA


def test_ids_never_change() -> None:
    # Stored answers and counts depend on these values: a change here orphans them.
    assert _ids(random=1).new(*CARD) == "3c368a76-485b-88d3-941c-a0010a7ccd3a"


@given(
    key=st.binary(min_size=16, max_size=64),
    rule=st.text(),
    patient=st.text(),
    server=st.text(),
    origin=st.tuples(st.text(), st.text(), st.text()),
    evidence=st.lists(st.text()),
    random=st.integers(0, 2**10 - 1),
)
def test_every_part_of_an_id_can_be_decoded(
    key: bytes,
    rule: str,
    patient: str,
    server: str,
    origin: tuple[str, str, str],
    evidence: list[str],
    random: int,
) -> None:
    ids = _ids(random, key)
    identity = Identity(Origin(*origin), server, patient)
    card = ids.new(rule, "1.0.0", identity, evidence)
    parts = read_card_id(card)
    assert parts is not None
    assert parts[:2] == parts.tags == (rule_tag(rule), version_tag("1.0.0"))
    assert (parts.digest,) == ids.digests(rule, "1.0.0", identity, evidence)
    assert parts.random == random
    assert ids.was_made_for(card, Origin(*origin))


def test_the_same_card_twice_has_two_ids_and_one_digest() -> None:
    ids = CardIds(KEY)
    card_ids = [ids.new(*CARD) for _ in range(20)]
    assert len(set(card_ids)) > 1
    assert len({_digest(card) for card in card_ids}) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(("other-rule", *CARD[1:]), id="another rule"),
        pytest.param((CARD[0], "1.2.1", *CARD[2:]), id="another version"),
        pytest.param((*CARD[:2], CARD[2]._replace(patient="p2"), EVIDENCE), id="another patient"),
        pytest.param(
            (*CARD[:2], CARD[2]._replace(fhir_server="https://other.example"), EVIDENCE),
            id="the same id at another FHIR server",
        ),
        pytest.param(
            (*CARD[:2], CARD[2]._replace(origin=HERE._replace(issuer="https://b")), EVIDENCE),
            id="another issuer",
        ),
        pytest.param(
            (*CARD[:2], CARD[2]._replace(origin=HERE._replace(tenant="south")), EVIDENCE),
            id="another tenant",
        ),
        pytest.param(
            (*CARD[:2], CARD[2]._replace(origin=HERE._replace(site="b")), EVIDENCE),
            id="another site",
        ),
        pytest.param(
            (*CARD[:2], Identity(HERE, "https://fhir.examplep", "1"), EVIDENCE),
            id="server and patient, split elsewhere",
        ),
        pytest.param((*CARD[:3], ("magnesium 0.6", "2026-11-01")), id="new evidence"),
        pytest.param(
            (*CARD[:3], ("magnesium 0.52026-11-01",)), id="the same text, split elsewhere"
        ),
    ],
)
def test_any_difference_makes_another_card(
    other: tuple[str, str, Identity, tuple[str, ...]],
) -> None:
    ids = _ids()
    assert _digest(ids.new(*other)) != _digest(ids.new(*CARD))
    assert ids.digests(*other) != ids.digests(*CARD)


def test_the_order_of_the_evidence_does_not_matter() -> None:
    ids = _ids()
    assert ids.new(*CARD) == ids.new(*CARD[:3], tuple(reversed(EVIDENCE)))


def test_without_the_key_a_card_is_not_recognised() -> None:
    card = _ids().new(*CARD)
    other = _ids(key=b"another key entirely")
    assert not other.was_made_for(card, HERE)
    assert _digest(card) not in other.digests(*CARD)


@pytest.mark.parametrize(
    "origin",
    [
        HERE._replace(issuer="https://b.example"),
        HERE._replace(tenant="south"),
        HERE._replace(tenant=""),
        HERE._replace(site="default"),
        Origin("https://ehr.examplenorth", "", "a"),
        ANYBODY,
    ],
)
def test_a_card_belongs_to_its_caller_only(origin: Origin) -> None:
    ids = _ids()
    assert ids.was_made_for(ids.new(*CARD), HERE)
    assert not ids.was_made_for(ids.new(*CARD), origin)


def test_no_bit_of_an_id_can_be_changed() -> None:
    ids = _ids()
    number = uuid.UUID(ids.new(*CARD)).int
    changed = [str(uuid.UUID(int=number ^ 1 << bit)) for bit in range(128)]
    assert not any(ids.was_made_for(card, HERE) for card in changed)


def test_thousands_of_made_up_ids_are_not_recognised() -> None:
    ids = CardIds(KEY)
    made_up = (CardIds(b"the key of a guesser").new(*CARD) for _ in range(2000))
    assert not any(ids.was_made_for(card, HERE) for card in made_up)


def test_an_earlier_key_is_recognised_and_makes_no_new_ids() -> None:
    ids = _ids()
    before = ids.new(*CARD)
    ids.use(b"another key entirely", [KEY])
    now = ids.new(*CARD)
    assert now != before
    assert ids.was_made_for(before, HERE)
    assert ids.was_made_for(now, HERE)
    assert {_digest(before), _digest(now)} == set(ids.digests(*CARD))
    assert not _ids().was_made_for(now, HERE)
    ids.use(b"another key entirely")
    assert not ids.was_made_for(before, HERE)


def test_a_pseudonym_reveals_nothing_without_the_key() -> None:
    ids = _ids()
    pseudonym = ids.pseudonym("patient", "https://fhir.example", "p1")
    assert pseudonym == _ids().pseudonym("patient", "https://fhir.example", "p1")
    assert (
        len(
            {
                pseudonym,
                ids.pseudonym("clinician", "https://fhir.example", "p1"),
                ids.pseudonym("patient", "https://fhir.examplep", "1"),
                _ids(key=b"another key entirely").pseudonym(
                    "patient", "https://fhir.example", "p1"
                ),
            }
        )
        == 4
    )


@pytest.mark.parametrize(
    "card",
    [
        "not a uuid",
        "",
        pytest.param("4e0a2fb1-6e4b-4f0e-8f5d-3e9f0c6a1b2c", id="a random UUID (version 4)"),
        pytest.param("4e0a2fb1-6e4b-8f0e-cf5d-3e9f0c6a1b2c", id="version 8 of another variant"),
    ],
)
def test_an_unknown_id_reveals_nothing(card: str) -> None:
    assert read_card_id(card) is None
    assert not _ids().was_made_for(card, HERE)


def test_ids_are_stored_in_one_spelling() -> None:
    card = _ids().new(*CARD)
    assert canonical(card.upper()) == canonical(f"urn:uuid:{card}") == card
    assert canonical("Card-7") == "Card-7"


def test_two_rules_with_one_tag_refuse_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.feedback.rules_seen.rule_tag", lambda rule: 7)
    RulesSeen([RuleVersion("a", "1"), RuleVersion("a", "2")])
    with pytest.raises(StartupError, match="a and b"):
        RulesSeen([RuleVersion("a", "1"), RuleVersion("b", "1")])


def test_two_rules_that_ids_cannot_distinguish_refuse_to_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules_seen, "rule_tag", lambda _rule: 7)
    RulesSeen([RuleVersion("one", "1.0.0"), RuleVersion("one", "1.1.0")])
    with pytest.raises(StartupError, match="one and other have the same tag"):
        RulesSeen([RuleVersion("one", "1.0.0"), RuleVersion("other", "1.0.0")])
