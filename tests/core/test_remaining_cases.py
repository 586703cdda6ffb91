"""Cases that no other table covers, each with its reason."""

from __future__ import annotations

from functools import partial

import pytest

from cds_service.core.deferred import Deferred
from cds_service.core.facts import Condition, KnownDesignation, Presence, Source
from cds_service.engine.knowledge_files import KnowledgeFolder
from cds_service.terminology import vocabulary as module
from cds_service.terminology.call_texts import ensure_budget
from hooks.knowledge.files import FOLDER
from tests.testing.given import fired, given


def test_a_lazily_built_fact_equals_the_built_one() -> None:
    later: Deferred[int] = Deferred(lambda: (1, 2))
    assert later == (1, 2)
    assert later != [1, 2]
    assert hash(later) == hash((1, 2))


def test_equal_conditions_count_once_in_a_set() -> None:
    """Their names are read lazily and may not have been read yet."""

    def gout() -> Condition:
        return Condition(
            frozenset({"gout"}), KnownDesignation("Gout"), Presence.ACTIVE, Source("Condition/1")
        )

    assert len({gout(), gout()}) == 1


def test_outside_a_call_there_is_no_budget() -> None:
    ensure_budget(100)


def test_a_vocabulary_keeps_a_bounded_number_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TEXTS", 2)
    vocabulary = KnowledgeFolder(FOLDER.folder).vocabulary("conditions")
    for number in range(5):
        texts = (f"cirrhosis {number}",)
        meaning = vocabulary.cached_wording(
            f"name {number}".encode(), partial(vocabulary.wording, (), texts)
        )
        assert meaning.concepts >= {"cirrhosis"}
    assert len(vocabulary._wordings) <= 2
    assert len(vocabulary._texts_read) <= 2


def test_a_homeopathic_name_matches_no_class() -> None:
    assert (
        FOLDER.vocabulary("medications").mentions((), ("quinine 30C homeopathic",)) == frozenset()
    )


def test_of_two_doubtful_results_of_a_day_the_newest_is_reported() -> None:
    case = given().has("cirrhosis").takes("diuretic_loop", name="furosemide")
    case.result("potassium", "3.1 mmol/L", days_ago=3, remarks=("haemolysed",))
    case.result("potassium", "2.6 mmol/L", days_ago=2, remarks=("haemolysed",))
    case.result("potassium", "3.4 mmol/L", days_ago=9)
    assert "2.6" in fired(case.ask("low-potassium")).summary
    assert "2.6" in str(fired(case.ask("cirrhosis-cramps")))


def test_a_platelet_count_above_the_limit_from_a_clotted_sample_is_inconclusive() -> None:
    case = given().takes("quinine", name="quinine sulfate")
    case.result("platelets", "180 10*9/L", remarks=("clotted",))
    assert "clotted" in str(fired(case.ask("quinine-active")))


def test_a_rising_creatinine_of_a_haemolysed_sample_counts() -> None:
    case = given().takes("nsaid", name="naproxen")
    case.result("creatinine", "0.8 mg/dL", days_ago=4)
    case.result("creatinine", "2.4 mg/dL", days_ago=1, remarks=("haemolysed",))
    assert "2.4" in str(fired(case.ask("analgesic-use")))
