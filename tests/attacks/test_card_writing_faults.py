"""A fault in what a rule returns costs that rule's card, never the call.

Source: fault 20 of the attacks: an unknown order key or override code was a 500.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from cds_service.engine.rule import Finding, OrderTest
from tests.api.conftest import service
from tests.api.minimal_service import VIEW, body, low_potassium, post, topics

__all__ = ["service"]


def _with(**changes: Any) -> Any:
    sound = low_potassium

    def check(facts: Any) -> Any:
        answer = sound.check(facts)
        assert isinstance(answer, Finding)
        return changed(answer, **changes)

    return replace(sound, id="faulty", title="A faulty rule", check=check)


FAULTY = {
    "an override code that is on no list": {"overrides": ("no-such-code",)},
    "a text where a suggestion belongs": {"suggestions": ("magnesium",)},
    "a number where a text belongs": {"summary": 7},
    "nothing where a list belongs": {"advice": None},
    "an indicator that is on no list": {"indicator": "alarming"},
    "evidence that is not a fact": {"evidence": (object(),)},
}


@pytest.mark.parametrize("changes", FAULTY.values(), ids=FAULTY)
def test_a_fault_costs_one_card_and_the_others_are_shown(service: Any, changes: Any) -> None:
    client = service(low_potassium, _with(**changes))
    response = post(client, VIEW, body())
    assert response.status_code == 200
    assert "low-potassium" in topics(response)
    assert "faulty" not in topics(response)


def test_an_offer_with_an_unknown_order_key_is_left_out_of_the_card(service: Any) -> None:
    client = service(_with(suggestions=(OrderTest("no-such-test"), OrderTest("potassium"))))
    response = post(client, VIEW, body())
    assert response.status_code == 200
    card = next(
        card for card in response.json["cards"] if card["source"]["topic"]["code"] == "faulty"
    )
    assert len(card["suggestions"]) == 1
    assert "otassium" in card["suggestions"][0]["label"]
