"""Long-running commands show progress at a terminal, and nowhere else."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from cds_service.commands import terminal


class _Screen(io.StringIO):
    """Standard error that is, or is not, a terminal, and knows when something was written."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.written = threading.Event()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        length = super().write(text)
        if text:
            self.written.set()
        return length


def test_progress_is_shown_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Screen(terminal=True)
    monkeypatch.setattr(sys, "stderr", screen)

    with terminal.progress_indicator("Reading", after_s=0.001):
        assert screen.written.wait(10)

    assert "Reading …" in screen.getvalue()


def test_scripts_get_only_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Screen(terminal=False)
    monkeypatch.setattr(sys, "stderr", screen)

    with terminal.progress_indicator("Reading", after_s=0.001):
        wrote = screen.written.wait(0.1)

    assert not wrote
