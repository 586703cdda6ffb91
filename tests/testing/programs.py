"""Programs of this project as processes, forked from one that has imported them already.

Starting Python and importing what a program needs takes a second of processor time, a fork some
hundredths of that. Such a process has its own environment, working folder, output and process
group, like one of `subprocess`; where the start itself is tested, use `subprocess`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120
FORKED = multiprocessing.get_context("forkserver")
"""Makes processes that share nothing with this one: their parent only imports."""
# Nothing that imports prometheus_client: a server sets its folder before that.
FORKED.set_forkserver_preload(
    [
        "alembic.command", "alembic.script", "flask", "granian", "jinja2", "jsonschema", "jwt",
        "psycopg", "pydantic_settings", "requests", "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.sqlite", "structlog", "flask_cors",
        "cryptography.hazmat.primitives.asymmetric.ec",
        "http.server", "wsgiref.simple_server",
        "hooks", "cds_service.answer.answering", "cds_service.app", "cds_service.calls.envelope",
        "cds_service.catalogue.sites", "cds_service.cli", "cds_service.sources.fetch.client",
        "cds_service.sources.obtaining", "cds_service.trust.callers",
        "cds_service.outbound.servers", "cds_service.serving.server",
        "cds_service.storage.database", "cds_service.storage.tables",
    ]
)  # fmt: skip


class Program:
    """``python -m MODULE WORDS`` as the leader of a process group; used like `subprocess.Popen`.

    With ``-c`` for the module, the first word is the program itself, as for Python.
    """

    def __init__(
        self,
        module: str,
        *words: str,
        folder: Path,
        environ: Mapping[str, str],
        out: Path,
        err: Path | None = None,
    ) -> None:
        out.touch()
        self._process = FORKED.Process(
            target=_run, args=(module, words, str(folder), dict(environ), str(out), str(err or out))
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a program", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def run_program(
    module: str, *words: str, folder: Path, environ: Mapping[str, str], timeout: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m MODULE WORDS`` in ``folder``; its status and output, or TimeoutExpired."""
    with tempfile.TemporaryDirectory() as temporary:
        out, err = Path(temporary, "out"), Path(temporary, "err")
        program = Program(module, *words, folder=folder, environ=environ, out=out, err=err)
        try:
            status = program.wait(timeout)
        finally:
            program.kill()
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())


def _run(
    module: str, words: tuple[str, ...], folder: str, environ: dict[str, str], out: str, err: str
) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    tempfile.tempdir = None  # this environment may have another
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    places = environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [folder, *(place for place in places if place)]
    try:
        if module == "-c":
            sys.argv = [module, *words[1:]]
            exec(words[0], {"__name__": "__main__"})
        else:
            sys.argv = [module, *words]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # a process of `multiprocessing` ends without them
