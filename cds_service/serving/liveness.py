"""Whether a worker is alive: `/healthz` beside the interpreter, and the end of one that hangs.

`/healthz` is a file that granian sends by itself, from a thread that needs nothing of Python, so it
is answered in a moment whatever the worker computes. It would be answered by a worker that computes
for ever, too: so one whose event loop stands still ends by itself, and is replaced.
"""

from __future__ import annotations

import asyncio
import faulthandler
from pathlib import Path

HEALTH = ([("/healthz", str(Path(__file__).with_name("healthz.json").resolve()))], None,
          "0, no-store")  # fmt: skip
"""Granian's files: addresses with their files, no index of a folder, and the maximum age."""
HUNG_S = 60.0
"""After so many seconds without a turn of its event loop a worker ends."""
_BEATS = 12


def end_if_hung(loop: asyncio.AbstractEventLoop, hung_s: float = HUNG_S) -> None:
    """End this process, and say on standard error in which lines of code, once ``loop`` hangs.

    The watch is kept by a thread of C, which needs no turn of the interpreter.
    """
    faulthandler.dump_traceback_later(hung_s, exit=True)
    loop.call_later(hung_s / _BEATS, end_if_hung, loop, hung_s)
