"""Logs: one line per event on standard error, with allowed keys only.

JSON for machines, text for a person at a terminal (``CDS_LOG_FORMAT``).

A key that is not in `ALLOWED` is dropped before anything is written, so that a value can be
logged only under a name in this list. None of them has a token, a name, an identifier of a
patient, a birth date, a laboratory value or free text from a record.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import Processor

ALLOWED = frozenset(
    {
        "event", "level", "timestamp",
        # a call
        "hook", "service", "instance", "status", "ms", "bytes", "cards", "problems", "fetched",
        "left_out", "method", "endpoint", "error", "place", "rule", "step",
        # callers
        "iss", "tenant", "check", "reason",
        # the process
        "host", "port", "workers", "pid", "worker", "logger", "message", "version", "stored",
        "repeats", "unknown", "rows", "url", "setting", "nearest",
    }
)  # fmt: skip
"""Keys that may be logged; ``tests/api/test_logs.py`` puts canaries in everything else."""

_LONGEST = 300
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# The logger whose messages are about the process and never about a request.
_SERVER = "_granian"
# Not a useful warning: many threads are intended. They wait for FHIR servers, and admission
# control bounds the work.
_CHATTER = "Configuration allows spawning up to"


Render = Callable[[object, str, MutableMapping[str, Any]], str]
"""A structlog processor that renders an event as one line."""


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes an event name and keys from `ALLOWED`."""
    bound: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return bound


_ready: dict[str, structlog.stdlib.BoundLogger] = {}


def ready(name: str) -> structlog.stdlib.BoundLogger:
    """`logger`, for messages of every call: bound only once until logs are configured again."""
    bound = _ready.get(name)
    if bound is None:
        bound = _ready[name] = logger(name).bind()
    return bound


def configure(level: str = "info", stream: TextIO | None = None, style: str | None = None) -> None:
    """Filter all logs of this process by `ALLOWED` and write them to ``stream``.

    ``level`` is one of CDS_LOG_LEVEL; ``stream`` defaults to standard error. ``style`` is
    ``json`` or ``text``; by default a terminal gets text and everything else JSON.
    """
    out = stream or sys.stderr
    _ready.clear()
    render = _words(out) if (style or _style_for(out)) == "text" else _render
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *_stamps(render),
            keep_allowed,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Foreign(out, render)]
    root.setLevel(logging.WARNING)
    logging.getLogger(_SERVER).setLevel(_LEVELS[level])
    logging.getLogger("werkzeug").disabled = True  # its access log has whole URLs
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def configure_once(level: str, style: str | None = None) -> None:
    """`configure`, unless this process has done so already."""
    if not structlog.is_configured():
        configure(level, style=style)


def _style_for(out: TextIO) -> str:
    return "text" if out.isatty() else "json"


def _stamps(render: Render) -> list[Processor]:
    """Timestamps: UTC for machines, local time for a person."""
    if render is _render:
        return [structlog.processors.TimeStamper(fmt="iso", utc=True)]
    return [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)]


def _words(out: TextIO) -> Render:
    coloured = out.isatty() and not os.environ.get("NO_COLOR")
    renderer = structlog.dev.ConsoleRenderer(
        colors=coloured, pad_event_to=0, sort_keys=False, pad_level=False
    )

    def render(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
        # Empty values are of no use to a person.
        shown = {key: value for key, value in event.items() if value not in ("", None)}
        shown["event"] = str(shown["event"]).replace("_", " ")
        return str(renderer(logger, method, shown))

    return render


_PLAIN = (str, int, float, bool)


def keep_allowed(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: drop every key that is not allowed, and truncate long texts."""
    return {
        key: value[:_LONGEST] if isinstance(value, str) else value
        for key, value in event.items()
        if key in ALLOWED and isinstance(value, _PLAIN)
    }


def described(error: BaseException) -> dict[str, str]:
    """The type and place of an exception, without its message, which may have patient data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return {"error": type(error).__name__, "place": place}


def _render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return _encode(event).decode()


_encode = msgspec.json.Encoder(enc_hook=lambda value: type(value).__name__).encode


class _Foreign(logging.Handler):
    """Log records of libraries: logger, level and place; the message only of the server's own."""

    def __init__(self, out: TextIO, render: Render) -> None:
        super().__init__()
        self._out = out
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; the record's message only where it is about the process."""
        of_server = record.name.partition(".")[0] == _SERVER
        if of_server and record.getMessage().startswith(_CHATTER):
            return
        if of_server and self._render is not _render and record.levelno < logging.WARNING:
            return  # on a terminal, `serve` has already said where the service listens
        event: dict[str, Any] = {
            "event": "library",
            "logger": record.name,
            "level": record.levelname.lower(),
        }
        if of_server:
            event["event"] = "server"
            event["message"] = record.getMessage()
        else:
            event["place"] = f"{record.pathname}:{record.lineno}"
        if record.exc_info and record.exc_info[1] is not None:
            event |= described(record.exc_info[1])
        for stamp in _stamps(self._render):
            event = stamp(None, "", event)  # type: ignore[assignment]  # a stamp returns the event
        line = self._render(None, "", keep_allowed(None, "", event))
        self._out.write(line + "\n")
        self._out.flush()


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logger(__name__).error("uncaught_exception", **described(error.with_traceback(trace)))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        logger(__name__).error("uncaught_exception", **described(args.exc_value))
