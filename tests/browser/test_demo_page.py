"""The demo page in a real browser: what a user does and what the screen then shows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cds_service.engine.overrides import OVERRIDES
from tests.browser.demo_page import DemoPage
from tests.demo.demo_service import FIXTURES, PATIENTS, hostile_bundle
from tests.testing.thorough import ALL, rest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
TAKE = os.environ.get("CDS_SCREENSHOTS") == "1"
"""Set it to write the pictures of the README again."""


def picture(demo: DemoPage, name: str) -> None:
    """A screenshot for the documents, taken only on request."""
    if TAKE:
        demo.page.screenshot(path=IMAGES / f"{name}.png")


def overflow(demo: DemoPage) -> int:
    """How many pixels the page is wider than the screen."""
    pixels: int = demo.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return pixels


def test_each_fixture_patient_shows_the_cards_of_its_story(demo: DemoPage) -> None:
    index = {
        entry["name"]: entry for entry in json.loads((FIXTURES / "index.json").read_text("utf-8"))
    }
    demo.open()
    for name in PATIENTS if ALL else PATIENTS[::4]:  # tests/demo asks for all, without a browser
        with demo.page.expect_response("**/demo/answer"):
            demo.page.click(f"[data-patient={name}]")
        demo.page.wait_for_selector("#answers:not([aria-busy])")
        shown = demo.page.locator("article.card")
        rules = [card.get_attribute("data-rule") for card in shown.all()]
        assert rules == index[name]["cards"], name
        assert demo.page.locator("[aria-pressed=true]").get_attribute("data-patient") == name
        status = demo.page.inner_text("#status")
        assert status.startswith(f"{len(rules)} card" if rules else "No cards")
        for word in demo.page.locator(".card .indicator").all_inner_texts():
            assert word.lower() in ("info", "warning", "critical")


def test_the_chart_shows_values_dates_limits_and_the_cards_that_use_them(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    lab = demo.page.locator(".lab", has=demo.page.get_by_text("Magnesium", exact=True))
    assert "1.4 mg/dL" in lab.inner_text()
    assert "0.58 mmol/L, 2026-11-20" in lab.inner_text()
    assert "used by low-magnesium" in lab.inner_text()
    words = lab.locator("svg").get_attribute("aria-label") or ""
    assert "1.4 mg/dL, 2026-11-20" in words
    assert "0.70 mmol/L" in words
    assert lab.locator("circle").count() == 6
    picture(demo, "demo")


def test_quinine_is_selected_and_the_suggestion_of_its_card_removes_it(demo: DemoPage) -> None:
    demo.open("cirrhosis-on-diuretic")
    demo.pick("quinine")
    assert demo.page.is_checked("input[value=order-select]")
    card = demo.card("quinine-ordered")
    assert "critical" in (card.get_attribute("class") or "")
    assert card.locator(".indicator").inner_text().lower() == "critical"
    assert "Quinine" in demo.page.inner_text("#drafts")
    assert (
        card.locator(".missing").inner_text() == "Not known: no platelet count in the last 90 days"
    )
    picture(demo, "quinine")
    with demo.page.expect_response("**/demo/feedback/*") as response:
        card.locator("button", has_text="Remove the draft order").click()
    assert response.value.status == 200
    demo.page.locator("#status", has_text="Feedback stored").wait_for(state="attached")
    assert demo.page.inner_text("#drafts") == "None."
    assert "Accepted: Remove the draft order" in card.inner_text()
    assert demo.page.evaluate("document.activeElement.className") == "done"
    assert demo.report("quinine-ordered")["Accepted"] == "1"


def test_signing_shows_hazards_only_and_names_every_draft(demo: DemoPage) -> None:
    demo.open("potassium-being-ordered")
    demo.pick("baclofen")
    demo.pick("quinine")
    selected = demo.page.locator("article.card").count()
    with demo.page.expect_response("**/demo/answer") as response:
        demo.page.check("input[value=order-sign]")
    demo.wait_for_answer()
    answer = response.value.json()
    assert answer["service"] == "leg-cramps-order-sign"
    assert "selections" not in answer["request"]["context"]
    assert len(answer["request"]["context"]["draftOrders"]["entry"]) == 3
    for rule in ("potassium-ordered-hazard", "quinine-ordered"):
        demo.card(rule).wait_for()
    assert demo.page.locator("article.card.info").count() == 0
    assert selected > 0
    picture(demo, "order-sign")


def test_silent_mode_shows_what_would_be_shown(demo: DemoPage) -> None:
    demo.open("elderly-polypharmacy")
    rules = demo.page.locator("article.card").evaluate_all(
        "all => all.map((card) => card.dataset.rule)"
    )
    with demo.page.expect_response("**/demo/answer") as response:
        demo.page.select_option("#silent", "yes")
    demo.wait_for_answer()
    assert response.value.json()["response"] == {"cards": []}
    silent = demo.page.locator("[data-silent]").evaluate_all(
        "all => all.map((card) => card.dataset.silent)"
    )
    assert silent == rules
    picture(demo, "silent")
    demo.page.goto(f"{demo.address}/report?site=demo")
    row = demo.page.locator(f"tr[data-silent={rules[0]}]")
    assert int(row.locator("[data-label='Would show']").inner_text()) > 0
    picture(demo, "report")


def test_a_copied_link_says_that_it_has_no_pasted_record(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    demo.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    demo.page.click("[data-copy=link]")
    demo.page.locator("#status", has_text="Copied: the link.").wait_for(state="attached")
    assert demo.page.evaluate("navigator.clipboard.readText()") == demo.page.url
    demo.paste((FIXTURES / "quinine-active.json").read_text("utf-8"))
    demo.page.click("[data-copy=link]")
    demo.page.locator("#status", has_text="not the record").wait_for(state="attached")
    assert "resourceType" not in demo.page.evaluate("navigator.clipboard.readText()")


def test_a_suggested_order_is_drafted(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    button = demo.card("low-magnesium").locator(".suggestion").first
    label = button.inner_text()
    button.click()
    demo.page.wait_for_selector(".done")
    assert label.removeprefix("Order: ") in demo.page.inner_text("#drafts")


def test_a_card_is_dismissed_with_a_reason_and_a_comment(demo: DemoPage) -> None:
    demo.open("severe-hypokalaemia")
    card = demo.card("low-potassium")
    card.locator(".dismiss > summary").click()
    reason = card.locator("input[type=radio]").last
    code = reason.get_attribute("value") or ""
    reason.check()
    card.locator("input[name=comment]").fill("already on the ward")
    with demo.page.expect_request("**/demo/feedback/*") as request:
        card.locator("button[type=submit]").click()
    demo.page.wait_for_selector(".done:not(.failed)")
    sent = request.value.post_data_json["feedback"][0]
    assert sent["outcome"] == "overridden"
    assert sent["overrideReason"]["reason"]["code"] == code
    demo.page.locator("#status", has_text="Feedback stored").wait_for(state="attached")
    cells = demo.report("low-potassium")
    assert f"{OVERRIDES[code]}: 1" in cells["Reasons given"]
    assert cells["Comments"] == "1"


def test_a_prefetch_key_that_is_not_sent_is_reported_as_not_checked(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    assert demo.card("low-magnesium").count() == 1
    with demo.page.expect_response("**/demo/answer"):
        demo.page.check("[data-key=results][value=absent]")
    demo.page.wait_for_selector("li.cannot[data-rule=low-magnesium]")
    row = demo.page.locator("li.cannot[data-rule=low-magnesium]")
    assert "Could not check" in row.inner_text()
    assert demo.card("low-magnesium").count() == 0
    assert "Read as absent" in demo.page.inner_text("#switches")
    assert demo.page.evaluate("document.activeElement.dataset.key") == "results"
    with demo.page.expect_response("**/demo/answer"):
        demo.page.check("[data-key=results][value=given]")
    demo.card("low-magnesium").wait_for()


def test_bad_json_is_answered_with_place_and_remedy(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    demo.paste('{"hook": "patient-view",')
    assert "not valid JSON" in demo.page.inner_text("#paste-error")
    assert "Send all of it" in demo.page.inner_text("#paste-error")
    assert demo.page.locator("article.card").count() == 0
    # The browser logs the refusal itself; that is not a fault of the page.
    assert all("400" in message for message in demo.console_errors)
    demo.console_errors.clear()


def test_a_pasted_request_is_answered(demo: DemoPage) -> None:
    demo.open()
    path = FIXTURES.parent / "scenarios" / "quinine-ordered-with-long-qt" / "request.json"
    demo.paste(path.read_text(encoding="utf-8"))
    demo.card("quinine-ordered").wait_for()
    assert "long QT" in demo.card("quinine-ordered").inner_text()
    assert demo.page.locator("[aria-pressed=true]").count() == 0


def test_a_file_is_opened(demo: DemoPage) -> None:
    demo.open("child")
    demo.page.click("#own > summary")
    demo.page.set_input_files("#upload", FIXTURES / "low-magnesium.json")
    demo.card("low-magnesium").wait_for()


def test_hostile_text_of_a_record_stays_text(demo: DemoPage) -> None:
    demo.open()
    demo.paste(json.dumps(hostile_bundle()))
    demo.card("quinine-ordered").wait_for()
    assert "<img src=x" in demo.page.inner_text("#chart")
    assert "<img src=x" in demo.page.inner_text("#drafts")
    with demo.page.expect_response("**/demo/answer"):
        demo.page.check("input[value=patient-view]")
    demo.card("quinine-active").wait_for()
    assert demo.page.locator("main img, main script, main iframe").count() == 0
    assert demo.page.evaluate("window.pwned") is None


def test_the_settings_of_the_page_change_the_answer(demo: DemoPage) -> None:
    demo.open("quinine-active")
    with demo.page.expect_response("**/demo/answer"):
        demo.page.select_option("#jurisdiction", "uk")
    demo.card("quinine-active").filter(has_text="last resort").wait_for()


def test_the_curl_line_and_the_request_can_be_copied(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    demo.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    demo.page.click("[data-copy=request]")
    demo.page.locator("#status", has_text="Copied").wait_for(state="attached")
    copied = json.loads(demo.page.evaluate("navigator.clipboard.readText()"))
    assert copied["hook"] == "patient-view"
    assert demo.page.inner_text("#curl").startswith(f"curl -s {demo.address}/cds-services/")


def test_the_page_can_be_used_with_the_keyboard_alone(demo: DemoPage) -> None:
    demo.open()
    demo.page.keyboard.press("Tab")
    assert demo.page.evaluate("document.activeElement.className") == "skip"
    demo.page.focus("[data-patient=quinine-active]")
    with demo.page.expect_response("**/demo/answer"):
        demo.page.keyboard.press("Enter")
    demo.card("quinine-active").wait_for()
    demo.card("quinine-active").locator(".suggestion").first.focus()
    demo.page.keyboard.press("Enter")
    demo.page.wait_for_selector(".done")


def test_every_control_has_an_accessible_name(demo: DemoPage) -> None:
    demo.open("cirrhosis-on-diuretic")
    demo.pick("quinine")
    nameless = demo.page.evaluate(
        """() => [...document.querySelectorAll('button, a, input, select, textarea, svg[role=img]')]
            .filter((element) => !(element.labels?.length || element.textContent.trim()
                || element.getAttribute('aria-label') || element.getAttribute('aria-labelledby')))
            .map((element) => element.outerHTML)"""
    )
    assert nameless == []
    doubled = demo.page.evaluate(
        """() => { const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
            return ids.filter((id, index) => ids.indexOf(id) !== index); }"""
    )
    assert doubled == []


@pytest.mark.parametrize("width", rest([320, 390, 768, 1024]))
def test_no_width_needs_horizontal_scrolling(browser: Browser, address: str, width: int) -> None:
    demo = DemoPage(browser, address, width=width, height=800)
    demo.open("elderly-polypharmacy")
    demo.pick("quinine")
    demo.page.evaluate(
        "document.querySelectorAll('details').forEach((element) => { element.open = true; })"
    )
    assert overflow(demo) <= 0
    demo.page.goto(f"{address}/report?site=demo")
    assert overflow(demo) <= 0
    demo.close()
    assert demo.console_errors == []


def test_a_dark_phone_shows_cards_on_the_first_screen(browser: Browser, address: str) -> None:
    demo = DemoPage(
        browser, address, width=390, height=844, color_scheme="dark", device_scale_factor=2
    )
    demo.open("elderly-polypharmacy")
    box = demo.page.locator("article.card h3").first.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 844
    assert demo.page.inner_text("#jump") == demo.page.inner_text("#status")
    background = demo.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(part) for part in background[4:-1].split(",")) < 150
    picture(demo, "phone-dark")
    demo.close()
    assert demo.console_errors == []
