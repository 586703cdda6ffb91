"""Liveness: `/healthz` outside the Python interpreter, and the end of workers that hang.

`/healthz` is a file that granian serves by itself, from a thread that does not need Python, so that
it is answered at once whatever the worker computes. Even a worker in an endless loop would answer
it: so a worker whose event loop hangs ends by itself and is replaced.
"""

from __future__ import annotations

import asyncio
import faulthandler
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HEALTH: Mapping[str, Any] = {
    "static_path_route": ["/healthz"],
    "static_path_mount": [Path(__file__).with_name("healthz.json")],
    "static_path_expires": "0, no-store",
}
"""Granian's options for static files: addresses, their files, and what follows ``max-age=``. It
takes a file as well as a folder, and text as well as seconds, though it says so nowhere.
"""
HUNG_S = 60.0
"""A worker ends when its event loop has not run for this many seconds."""
_BEATS = 12


def end_if_hung(loop: asyncio.AbstractEventLoop, hung_s: float = HUNG_S) -> None:
    """End this process when ``loop`` hangs, with a traceback on standard error.

    A thread of C code watches it, which does not need the interpreter.
    """
    faulthandler.dump_traceback_later(hung_s, exit=True)
    loop.call_later(hung_s / _BEATS, end_if_hung, loop, hung_s)
