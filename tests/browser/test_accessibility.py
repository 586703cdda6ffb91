"""axe-core finds nothing of any severity in any state of the page; everything works by keyboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.demo_page import DemoPage
from tests.demo.demo_service import PATIENTS
from tests.testing import fhir
from tests.testing.thorough import ALL, thorough

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")


def findings(
    page: Page, without: str = "", *, within: str = "", contrast: bool = True
) -> list[tuple[str, str]]:
    """Rule and place of everything axe-core reports, whatever its severity, except in ``without``
    or only ``within``: selectors of what has not changed, or alone has changed, since the last
    check. Contrast, which takes most of the time, is left out where the colours are those of a
    page already checked."""
    # Rules without findings are not listed: that takes half the time.
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if not (contrast or ALL):
        options["rules"] = {"color-contrast": {"enabled": False}}
    context = {"exclude": [[without]]} if without else None
    if within and not ALL:
        context = {"include": [[within]]}
    violations = axe.Axe().run(page, context, options).response["violations"]
    return [(finding["id"], str(finding["nodes"][0]["target"])) for finding in violations]


CHART = "#chart"
LONGEST = ("elderly-polypharmacy", "pregnant-on-magnesium", "claudication")
OPEN_ALL = "document.querySelectorAll('details').forEach((element) => (element.open = true))"


@pytest.mark.timed
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1400, "light"),
        pytest.param(1400, "dark", marks=thorough),
        pytest.param(768, "light", marks=thorough),
        pytest.param(390, "dark", marks=thorough),
    ],
)
def test_axe_finds_nothing_on_the_pages(
    browser: Browser, address: str, width: int, scheme: str
) -> None:
    demo = DemoPage(browser, address, color_scheme=scheme, width=width, height=900)
    for patient in ("elderly-polypharmacy", "nothing-to-say", "partial-data-unknown-unit"):
        demo.open(patient)
        demo.page.evaluate(OPEN_ALL)
        assert findings(demo.page, contrast=patient == "elderly-polypharmacy") == []
    for path in ("/report", "/report?site=demo", "/rules/quinine-active"):
        demo.page.goto(f"{address}{path}")
        demo.page.evaluate(OPEN_ALL)
        assert findings(demo.page) == [], path
    demo.close()


def test_text_has_sufficient_contrast_in_the_dark_scheme(browser: Browser, address: str) -> None:
    demo = DemoPage(browser, address, color_scheme="dark")
    demo.open("elderly-polypharmacy")
    contrast = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
    assert axe.Axe().run(demo.page, None, contrast).response["violations"] == []
    demo.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=thorough)])
def test_axe_finds_nothing_in_any_state_of_the_page(
    browser: Browser, address: str, scheme: str
) -> None:
    demo = DemoPage(browser, address, color_scheme=scheme)
    demo.open("low-magnesium")
    demo.page.locator(".suggestion").first.click()
    demo.page.wait_for_selector(".done:has-text('Feedback stored')")
    assert findings(demo.page, CHART, within="#answers", contrast=False) == []
    card = demo.card("low-magnesium")
    while card.locator(".suggestion:not(.taken)").count():
        card.locator(".suggestion:not(.taken)").first.click()
    assert findings(demo.page, CHART, within="#answers") == []
    demo.open("quinine-active")
    demo.card("quinine-active").locator(".dismiss summary").click()
    assert findings(demo.page, CHART, within="#answers") == []
    demo.card("quinine-active").locator("input[type=radio]").first.check()
    demo.card("quinine-active").locator(".override button").click()
    demo.page.wait_for_selector(".done:has-text('Feedback stored')")
    assert findings(demo.page, CHART, within="#answers", contrast=False) == []
    demo.pick("quinine")
    assert findings(demo.page, CHART, contrast=False) == []
    with demo.page.expect_response("**/demo/answer"):
        demo.page.check("input[value=order-sign]")
    demo.wait_for_answer()
    assert findings(demo.page, CHART, contrast=False) == []
    with demo.page.expect_response("**/demo/answer"):
        demo.page.select_option("#silent", "yes")
    demo.page.wait_for_selector(".silent")
    assert findings(demo.page, CHART) == []
    demo.paste("{")
    demo.page.wait_for_selector("#paste-error .what")
    assert findings(demo.page, CHART) == []
    demo.page.goto(f"{address}/?patient=nobody")
    demo.page.wait_for_selector("#error .what")
    assert findings(demo.page, CHART, contrast=False) == []
    demo.page.route("**/demo/answer", lambda route: route.abort())
    demo.page.click("[data-patient=child]")
    demo.page.wait_for_selector("#error .what:has-text('does not answer')")
    assert findings(demo.page, CHART, contrast=False) == []
    demo.close()


def test_a_slow_answer_is_announced_after_300_ms(browser: Browser, address: str) -> None:
    demo = DemoPage(browser, address)
    demo.open("child")
    routes: list[Route] = []

    def hold(route: Route) -> None:  # playwright does not take a built-in method
        routes.append(route)

    demo.page.route("**/demo/answer", hold)
    demo.page.click("[data-patient=low-magnesium]")
    assert not demo.page.locator(".busy").is_visible()
    demo.page.locator(".busy").wait_for(state="visible", timeout=5_000)
    assert demo.page.inner_text(".busy") == "Asking the service …"
    routes[0].continue_()
    demo.page.locator(".busy").wait_for(state="hidden")
    demo.card("low-magnesium").wait_for()
    demo.close()


def test_each_patient_prints_on_one_page(browser: Browser, address: str) -> None:
    demo = DemoPage(browser, address)
    for patient in PATIENTS if ALL else LONGEST:
        demo.open(patient)
        printed = demo.page.pdf(format="A4")
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1, patient
    demo.close()


def test_every_task_can_be_done_by_keyboard(demo: DemoPage) -> None:
    """From the address bar: choose a patient, order, sign, dismiss a card; no mouse."""
    demo.open("nothing-to-say")
    keyboard = demo.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(150):
            keyboard.press("Tab")
            if demo.page.evaluate("(css) => document.activeElement.matches(css)", selector):
                return
        raise AssertionError(f"Tab does not reach {selector}")

    tab_to("[data-patient]")
    keyboard.press("Home")
    with demo.page.expect_response("**/demo/answer"):
        keyboard.press("Enter")
    demo.wait_for_answer()
    tab_to("#order")
    keyboard.press("End")
    keyboard.press("Home")
    tab_to("#add button")
    with demo.page.expect_response("**/demo/answer"):
        keyboard.press("Enter")
    demo.card("quinine-ordered").wait_for()
    demo.page.focus("[data-patient][aria-pressed=true]")
    tab_to("input[name=hook]")
    with demo.page.expect_response("**/demo/answer"):
        keyboard.press("ArrowDown")
    demo.wait_for_answer()
    assert demo.page.is_checked("input[value=order-sign]")
    tab_to("article .dismiss summary")
    keyboard.press("Enter")
    tab_to("article input[type=radio]")
    keyboard.press("Space")
    tab_to("article .override button")
    keyboard.press("Enter")
    demo.page.wait_for_selector(".done:has-text('Feedback stored')")
    tab_to("[data-copy=link]")


def test_arrow_keys_move_between_patients(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    names = demo.page.locator("[data-patient]").evaluate_all(
        "all => all.map((button) => button.dataset.patient)"
    )
    demo.page.focus("[data-patient=low-magnesium]")
    focused = "document.activeElement.dataset.patient"
    for key, n in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", -1), ("Home", 0)):
        demo.page.keyboard.press(key)
        assert demo.page.evaluate(focused) == names[n]
    demo.page.keyboard.press("ArrowDown")
    with demo.page.expect_response("**/demo/answer"):
        demo.page.keyboard.press("Enter")
    demo.wait_for_answer()
    assert f"patient={names[1]}" in demo.page.url


def test_several_suggestions_of_a_card_are_taken_one_after_the_other(demo: DemoPage) -> None:
    demo.open("low-magnesium")
    card = demo.card("low-magnesium")
    labels = card.locator(".suggestion").all_inner_texts()
    assert len(labels) > 2
    for index in range(2):
        with demo.page.expect_request("**/demo/feedback/*") as sent:
            card.locator(".suggestion").nth(index).click()
        feedback = json.loads(sent.value.post_data or "{}")["feedback"][0]
        assert len(feedback["acceptedSuggestions"]) == index + 1
    assert card.locator(".suggestion:not(.taken)").count() == len(labels) - 2
    assert demo.page.locator("#drafts li:not(.hint)").count() == 2


def test_an_error_in_a_pasted_record_is_shown_at_the_form_and_takes_the_focus(
    browser: Browser, address: str
) -> None:
    demo = DemoPage(browser, address)
    demo.open("low-magnesium")
    demo.paste('{"resourceType": "Patient", "id": "1"}')
    demo.page.wait_for_selector("#paste-error .what")
    assert demo.page.evaluate("document.activeElement.id") == "paste-error"
    assert not demo.page.inner_text("#error")
    demo.close()


def test_the_url_holds_the_whole_state_and_an_unknown_patient_is_reported(
    browser: Browser, address: str
) -> None:
    demo = DemoPage(browser, address)
    demo.open("low-magnesium")
    demo.pick("quinine")
    cards = demo.page.locator("article.card").count()
    copy = DemoPage(browser, address)
    copy.page.goto(demo.page.url)
    copy.wait_for_answer()
    assert copy.page.locator("article.card").count() == cards
    assert copy.page.is_checked("input[value=order-select]")
    assert copy.page.locator("#drafts li:not(.hint)").count() == 1
    copy.page.goto(f"{address}/?patient=nobody")
    copy.page.wait_for_selector("#error .what")
    assert "no patient with that name" in copy.page.inner_text("#error")
    copy.close()
    demo.close()


def test_no_dismissal_reason_is_preselected(demo: DemoPage) -> None:
    demo.open("quinine-active")
    card = demo.card("quinine-active")
    card.locator(".dismiss summary").click()
    assert card.locator("input[type=radio]:checked").count() == 0
    card.locator(".override button").click()
    assert card.locator(".dismiss").count() == 1  # the browser asks for a reason first


def test_a_long_record_fits_three_screens(browser: Browser, address: str) -> None:
    demo = DemoPage(browser, address)
    demo.page.goto(f"{address}/?patient=low-magnesium")
    demo.wait_for_answer()
    analytes = (("2823-3", 4.1, "mmol/L"), ("2160-0", 0.9, "mg/dL"),
                ("718-7", 13.5, "g/dL"), ("19123-9", 2.0, "mg/dL"))  # fmt: skip
    results = [
        fhir.lab(*analytes[n % 4], f"{2016 + n // 100}-{1 + n % 12:02}-11", id=f"o{n}")
        for n in range(1000)
    ]
    problems = [fhir.condition(f"Problem {n // 4}", id=f"c{n}") for n in range(60)]
    demo.paste(json.dumps(fhir.collection(fhir.patient(), *results, *problems)))
    demo.wait_for_answer()
    assert "×4" in demo.page.inner_text("#chart")
    # The chart alone: cards and the answers of the rules do not grow with the record.
    assert demo.page.locator("#chart").bounding_box()["height"] < 3 * 960  # type: ignore[index]
    demo.close()
