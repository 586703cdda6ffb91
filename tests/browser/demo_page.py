"""The demo page, driven by a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Error, Locator

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

EMPTY = "about:blank"


class DemoPage:
    """One tab; ``console_errors`` lists the errors in its console.

    All tabs share one context, and a closed tab is used again, because both take longer to start
    than a test: the page stores nothing in the browser, and permissions and routes are taken back.
    With options for a context, the tab has its own.
    """

    def __init__(
        self,
        browser: Browser,
        address: str,
        *,
        width: int = 1440,
        height: int = 960,
        color_scheme: Literal["light", "dark"] = "light",
        **context: Any,
    ) -> None:
        self.address = address
        self.console_errors: list[str] = []
        self._own = bool(context)
        self._context = browser.new_context(**context) if self._own else browser.contexts[0]
        self._context.set_default_timeout(10_000)
        empty = (page for page in self._context.pages if page.url == EMPTY)
        self.page = next(empty, None) or self._context.new_page()
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=color_scheme)
        self.page.on("console", self._on_message)
        self.page.on("pageerror", self._on_error)

    def open(self, patient: str = "") -> None:
        """Load the page, with one fixture patient, and wait for the answer."""
        self.page.goto(f"{self.address}/?patient={patient}")
        self.wait_for_answer()

    def wait_for_answer(self) -> None:
        """Wait until the last call is answered."""
        self.page.wait_for_selector("#answers:not([aria-busy])")
        self.page.wait_for_selector("article.card, .none, #error .what")

    def pick(self, order: str) -> None:
        """Add an order from the list; it becomes the selected draft."""
        self.page.select_option("#order", order)
        with self.page.expect_response("**/demo/answer"):
            self.page.click("#add button")
        self.page.wait_for_selector("#answers:not([aria-busy])")

    def paste(self, text: str) -> None:
        """Paste a request or Bundle, and wait for the answer."""
        if not self.page.is_visible("#pasted"):
            self.page.click("#own > summary")
        self.page.fill("#pasted", text)
        with self.page.expect_response("**/demo/answer"):
            self.page.click("#paste button")
        self.page.wait_for_selector("#answers:not([aria-busy])")

    def card(self, rule: str) -> Locator:
        """The card of one rule."""
        return self.page.locator(f"article[data-rule={rule}]")

    def report(self, rule: str) -> dict[str, str]:
        """The cells of one rule in the report, by column heading, read in the same browser."""
        page = self._context.new_page()
        page.goto(f"{self.address}/report?site=demo")
        cells: dict[str, str] = page.locator(f"tr[data-rule={rule}]").first.evaluate(
            "row => Object.fromEntries([...row.querySelectorAll('td[data-label]')]"
            ".map((cell) => [cell.dataset.label, cell.innerText.trim()]))"
        )
        page.close()
        return cells

    def close(self) -> None:
        """Empty the tab, for the next test."""
        assert self._context.storage_state() == {"cookies": [], "origins": []}
        self._context.clear_permissions()
        if self._own:
            self._context.close()
            return
        self.page.unroute_all()
        self.page.goto(EMPTY)
        self.page.remove_listener("console", self._on_message)
        self.page.remove_listener("pageerror", self._on_error)

    def _on_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.console_errors.append(message.text)

    def _on_error(self, error: Error) -> None:
        self.console_errors.append(str(error))
