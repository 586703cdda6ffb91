"""axe-core finds nothing of any grade on any page and state; all can be done by keyboard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser.given_page import DemoPage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")


def findings(page: Page) -> list[tuple[str, str]]:
    """Rule and place of everything axe-core complains of, whatever its grade."""
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], str(one["nodes"][0]["target"])) for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_pages_have_no_finding(browser: Browser, address: str, scheme: str, width: int) -> None:
    demo = DemoPage(browser, address, color_scheme=scheme, viewport={"width": width, "height": 900})
    for patient in ("elderly-polypharmacy", "nothing-to-say", "partial-data-unknown-unit"):
        demo.open(patient)
        assert findings(demo.page) == []
    demo.page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert findings(demo.page) == []
    demo.page.goto(f"{address}/report?site=demo")
    assert findings(demo.page) == []
    demo.close()


def test_the_states_after_an_answer_and_an_error_have_no_finding(
    browser: Browser, address: str
) -> None:
    demo = DemoPage(browser, address)
    demo.open("low-magnesium")
    demo.page.locator(".suggestion").first.click()
    demo.page.wait_for_selector(".done:has-text('Feedback stored')")
    assert findings(demo.page) == []
    demo.paste("{")
    demo.page.wait_for_selector("#paste-error .what")
    assert findings(demo.page) == []
    demo.close()


def test_arrow_keys_move_between_patients(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    names = demo.page.locator("[data-patient]").evaluate_all(
        "all => all.map((one) => one.dataset.patient)"
    )
    demo.page.focus("[data-patient=low-magnesium]")
    focused = "document.activeElement.dataset.patient"
    for key, at in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", -1), ("Home", 0)):
        demo.page.keyboard.press(key)
        assert demo.page.evaluate(focused) == names[at]
    demo.page.keyboard.press("ArrowDown")
    with demo.page.expect_response("**/demo/answer"):
        demo.page.keyboard.press("Enter")
    demo.answered()
    assert f"patient={names[1]}" in demo.page.url


def test_several_suggestions_of_a_card_are_taken_one_after_the_other(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    card = demo.card("low-magnesium")
    labels = card.locator(".suggestion").all_inner_texts()
    assert len(labels) > 2
    for at in range(2):
        with demo.page.expect_request("**/demo/feedback/*") as sent:
            card.locator(".suggestion").nth(at).click()
        told = json.loads(sent.value.post_data or "{}")["feedback"][0]
        assert len(told["acceptedSuggestions"]) == at + 1
    assert card.locator(".suggestion:not(.taken)").count() == len(labels) - 2
    assert demo.page.locator("#drafts li:not(.hint)").count() == 2


def test_an_error_of_a_pasted_record_stands_at_the_form_and_takes_the_focus(
    browser: Browser, address: str
) -> None:
    demo = DemoPage(browser, address)
    demo.open("low-magnesium")
    demo.paste('{"resourceType": "Patient", "id": "1"}')
    demo.page.wait_for_selector("#paste-error .what")
    assert demo.page.evaluate("document.activeElement.id") == "paste-error"
    assert not demo.page.inner_text("#error")
    demo.close()


def test_the_whole_state_is_in_the_address_and_an_unknown_patient_is_said(
    browser: Browser, address: str
) -> None:
    demo = DemoPage(browser, address)
    demo.open("low-magnesium")
    demo.pick("quinine")
    cards = demo.page.locator("article.card").count()
    again = DemoPage(browser, address)
    again.page.goto(demo.page.url)
    again.answered()
    assert again.page.locator("article.card").count() == cards
    assert again.page.is_checked("input[value=order-select]")
    assert again.page.locator("#drafts li:not(.hint)").count() == 1
    again.page.goto(f"{address}/?patient=nobody")
    again.page.wait_for_selector("#error .what")
    assert "no patient of that name" in again.page.inner_text("#error")
    again.close()
    demo.close()


def test_a_dismissal_has_no_reason_chosen_beforehand(demo: DemoPage) -> None:
    demo.open("quinine-active")
    card = demo.card("quinine-active")
    card.locator(".dismiss summary").click()
    assert card.locator("input[type=radio]:checked").count() == 0
    card.locator(".override button").click()
    assert card.locator(".dismiss").count() == 1  # the browser asks for a reason first


def test_a_long_record_fits_three_screens(browser: Browser, address: str) -> None:
    demo = DemoPage(browser, address)
    demo.page.goto(f"{address}/?patient=low-magnesium")
    demo.answered()
    entries: list[dict[str, object]] = [
        {"resource": {"resourceType": "Patient", "id": "p", "birthDate": "1950-01-01"}}
    ]
    for at in range(1000):
        code = ("2823-3", "2160-0", "718-7", "19123-9")[at % 4]
        unit, value = (("mmol/L", 4.1), ("mg/dL", 0.9), ("g/dL", 13.5), ("mg/dL", 2.0))[at % 4]
        entries.append(
            {
                "resource": {
                    "resourceType": "Observation",
                    "id": f"o{at}",
                    "status": "final",
                    "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
                    "subject": {"reference": "Patient/p"},
                    "effectiveDateTime": f"{2016 + at // 100}-{1 + at % 12:02}-11",
                    "valueQuantity": {"value": value, "unit": unit},
                }
            }
        )
    for at in range(60):
        entries.append(
            {
                "resource": {
                    "resourceType": "Condition",
                    "id": f"c{at}",
                    "subject": {"reference": "Patient/p"},
                    "code": {"text": f"Problem {at // 4}"},
                    "clinicalStatus": {"coding": [{"code": "active"}]},
                }
            }
        )
    demo.paste(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    demo.answered()
    assert "×4" in demo.page.inner_text("#chart")
    # The chart alone: cards and the answers of the rules do not grow with the record.
    assert demo.page.locator("#chart").bounding_box()["height"] < 3 * 960  # type: ignore[index]
    demo.close()
