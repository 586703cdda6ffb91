"""Serving: granian workers around the WSGI application, which is made once and forked.

The application is made before the workers: an error in a setting is reported in one line before
the service listens, workers share the memory, and a replaced worker can answer at once.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from ipaddress import ip_address
from threading import BrokenBarrierError
from typing import TYPE_CHECKING

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings

from cds_service.catalogue.topics import installed_options
from cds_service.errors import PreconditionFailed, StartupError
from cds_service.ops import logs
from cds_service.ops.memory import share_among_threads
from cds_service.ops.metrics_files import reserve, shared_folder
from cds_service.serving.liveness import HEALTH, end_if_hung
from cds_service.serving.supervisor import Supervisor, guard_forks
from cds_service.settings import Settings, read_settings, unknown_variables

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

    from flask import Flask

    from cds_service.api.parts import Parts
    from cds_service.serving.front import Front

BACKLOG = 1024
CONNECTIONS = 16_000
"""Most connections of a worker, including idle ones, as far as the system's limit on open files
allows; more of them wait in the kernel. One costs some kilobytes, and is closed after ten seconds
without a request head."""
_OTHER_FILES = 400
"""Files that a worker may open besides client connections."""
GRACE_S = 30
"""Seconds that a worker has to answer what it has accepted."""
_PRELOADED = ("alembic.command", "alembic.runtime.migration", "sqlite3")
"""Modules that each worker needs at start: imported before the fork, so that they are shared."""
_SWITCH_INTERVAL_S = 0.001
"""How soon a computing thread yields to another one (the loop that reads bodies)."""
COLLECT_AT = (20_000, 20, 20)
"""When the garbage collector looks for reference cycles: a call makes some thousand objects and no
cycle, so that every few calls are enough."""
_WAIT_FOR_OTHERS_S = 5.0
"""How long a worker that is ready waits for the others before it listens without them."""
_app: Flask | None = None
_together: Barrier | None = None


def default_workers() -> int:
    """One worker for each processor that this process may use, at most eight."""
    return max(1, min(8, len(os.sched_getaffinity(0))))


def refuse_unguarded(settings: Settings, host: str) -> None:
    """Raise StartupError where the service would be open to other machines without tokens."""
    if settings.insecure_open or _is_loopback(host):
        return
    if settings.trusted_clients is None:
        raise StartupError(
            f"it would listen on {host} and let anybody call.",
            "Set CDS_TRUSTED_CLIENTS, or CDS_INSECURE_OPEN=1 to insist.",
            "serve",
        )
    if settings.demo:
        raise StartupError(
            f"it would listen on {host} and let anybody use the demo page, without a token.",
            "Unset CDS_DEMO and leave out --demo, or set CDS_INSECURE_OPEN=1 to insist.",
            "serve",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def served_at(host: str, port: int) -> str:
    """The base URL at which clients reach a server that listens there."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  # only compared, not listened on
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def with_public_url(settings: Settings, host: str, port: int) -> Settings:
    """The settings, where no public URL is set with that of the address that it listens on.

    Tokens are signed for the URL that is called; with any other URL all would be refused.
    """
    if "public_url" in settings.model_fields_set:
        return settings
    address = served_at(host, port)
    if settings.trusted_clients is not None and not _is_loopback(host):
        logs.logger(__name__).warning(
            "tokens_are_for_a_guessed_address", url=address, setting="CDS_PUBLIC_URL"
        )
    listening = settings.model_copy(update={"public_url": address})
    listening.model_fields_set.discard("public_url")  # a guess: cards do not link to it
    return listening


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int | None = None,
    announce: Callable[[Settings], None] = lambda _settings: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what was accepted and return.

    ``announce`` is called with the settings once everything has been checked, before it listens.
    Raises StartupError for settings, rules or client lists that cannot be used, and for an
    address on which it cannot listen.
    """
    settings = read_settings()
    refuse_unguarded(settings, host)
    logs.configure(settings.log_level, style=settings.log_format)
    for name, nearest in unknown_variables(os.environ, installed_options(settings.topics)):
        logs.logger(__name__).warning("unknown_setting", setting=name, nearest=nearest)
    settings = with_public_url(settings, host, port)
    if settings.demo and settings.trusted_clients is not None:
        logs.logger(__name__).warning("demo_needs_no_token", setting="CDS_DEMO")
    assert "prometheus_client" not in sys.modules, "metrics were imported before serving"
    # Whatever Python's default is: forked workers share the memory of the application.
    multiprocessing.set_start_method("fork", force=True)
    count = workers or default_workers()
    global _together  # noqa: PLW0603  # one per server, inherited by forked workers
    _together = multiprocessing.Barrier(count)
    with shared_folder():
        load(settings)
        server = Supervisor(
            target="cds_service.serving.server:load",
            address="127.0.0.1" if host == "localhost" else host,
            port=port,
            interface=Interfaces.RSGI,
            workers=count,
            backlog=BACKLOG,
            backpressure=_connections(),
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=10_000),
            loop=Loops.asyncio,
            websockets=False,
            respawn_failed_workers=True,
            respawn_interval=0.1,
            workers_kill_timeout=GRACE_S,
            **HEALTH,
        )
        _check_address(host, port)
        guard_forks()
        announce(settings)
        server.serve(target_loader=load_in_worker, wrap_loader=False)  # type: ignore[arg-type]  # an object, as RSGI allows


def load(settings: Settings | None = None) -> Flask:
    """The application of this process, made and warmed up on the first call.

    Forked workers inherit the application that was made with the server's ``settings``.
    """
    global _app  # noqa: PLW0603  # one per process, inherited by forked workers
    if _app is None:
        share_among_threads()
        from cds_service.app import create_app

        app = create_app(settings, start=False)
        parts: Parts = app.extensions["cds_parts"]
        warm_up(parts)
        _app = app
        for name in _PRELOADED:
            import_module(name)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AT)
    return _app


def load_in_worker() -> Front:
    """The application in a worker that is about to take calls."""
    from cds_service.serving.admission import Admission, AdmissionLimits
    from cds_service.serving.front import Front

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    app = load()
    parts: Parts = app.extensions["cds_parts"]
    settings = parts.settings
    try:
        reserve(len(parts.sites))
    except OSError as error:
        logs.logger(__name__).warning("figures_off", reason=error.strerror)
        parts.metrics.stop()
    parts.records.start()
    limits = AdmissionLimits(
        calls_per_client=settings.client_calls,
        bytes_per_client=int(settings.client_mb * 1e6),
        bytes=int(settings.process_mb * 1e6),
        body_s=settings.body_seconds,
    )
    front = Front(
        app.wsgi_app,
        Admission(limits, parts.metrics.refused),
        parts.body_limit,
        None if parts.callers is None else parts.callers.examine,
        None if parts.callers is None or settings.demo else limits.stranger_bytes,
        end_if_hung,
    )
    gc.collect()
    gc.freeze()
    _listen_together()
    return front


def _listen_together() -> None:
    """Wait until all workers are about to listen.

    Each has its own socket. If one listened earlier, it would get all the connections that
    clients open at once and then keep. A worker that replaces another does not wait.
    """
    if _together is not None:
        with suppress(BrokenBarrierError):
            _together.wait(_WAIT_FOR_OTHERS_S)
        _together.abort()


def _connections() -> int:
    """The number of connections of a worker, within the limit on open files, which is raised."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = CONNECTIONS if allowed == resource.RLIM_INFINITY else allowed - _OTHER_FILES
    return max(100, min(CONNECTIONS, most))


def warm_up(parts: Parts) -> None:
    """Answer one made-up call of each service, so that the first real call is not slower."""
    from cds_service.core.call import Call
    from cds_service.core.facts import State
    from cds_service.fhir import models
    from cds_service.fhir.intake.delivery import Delivery

    for service, keys in parts.answering.keys.items():
        empty = {
            key.kind: Delivery(
                key.kind, State.GIVEN, (b'{"resourceType":"Bundle","entry":[]}',), "warm-up"
            )
            for key in keys
        }
        try:
            parts.answering.answer(Call(service, "warm-up", datetime.now(UTC)), empty)
        except PreconditionFailed:
            continue
    models.warm()


def _check_address(host: str, port: int) -> None:
    """Raise StartupError where it cannot listen; granian would end with a traceback."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise StartupError(
            f"cannot listen on {host}:{port} ({error.strerror}).",
            "Choose another --host or --port, or stop the program that listens there.",
            "serve",
        ) from None
