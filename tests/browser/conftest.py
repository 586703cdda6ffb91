"""A running demo and a browser per module, a fresh page for each test."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from tests.browser.demo_page import ARGUMENTS, DemoPage
from tests.demo.demo_service import demo_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Without windows it takes half the processor time.
WITHOUT_WINDOWS = Path("/usr/bin/chromium-headless-shell")
CHROMIUM = Path(
    os.environ.get("CDS_CHROMIUM")
    or (WITHOUT_WINDOWS if WITHOUT_WINDOWS.is_file() else "/usr/bin/chromium")
)


# Not for the session: while it is open, no other test of the process can run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium; nothing is downloaded."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no Chromium at {CHROMIUM}: install it, or set CDS_CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        chromium.new_context()  # all tabs share it: `DemoPage`
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo on a free port of loopback, with a fixed clock."""
    app = demo_app(tmp_path_factory.mktemp("demo"))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()
    app.extensions["cds_parts"].records.close()


@pytest.fixture
def demo(browser: Browser, address: str) -> Iterator[DemoPage]:
    """The demo page on a desktop; at the end the console must be empty."""
    page = DemoPage(browser, address)
    yield page
    page.close()
    assert page.console_errors == []
