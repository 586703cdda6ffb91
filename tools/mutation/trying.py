"""One mutant against the tests, in a process of its own that is forked warm.

The process that forks has imported the third-party packages and nothing of the product. Its
child sees the mutated module through an import hook, so that no file is ever changed; then it
runs pytest: the module's own tests first, then whatever runs the mutated lines.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import CodeType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAID = ROOT / ".mutation" / "said"
WARM = (
    "alembic", "fhir.resources.R4B", "flask_cors", "hypothesis", "jsonschema", "jwt", "markdown_it",
    "msgspec", "prometheus_client", "pydantic_settings", "requests", "sqlalchemy.dialects.sqlite",
    "structlog",
)  # fmt: skip
_MOST_SECONDS = 120


class Fate(StrEnum):
    """What became of a mutant; the value is what the page calls it."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    REFUSED = "refused"  # the program does not start with it
    SURVIVED = "survived"


@dataclass(frozen=True)
class Tests:
    """Which tests a mutant meets: the ``own`` files, then the test ids of ``covering``.

    ``described``: also the one that compares the reference pages with the code, as for a line
    that runs at import and so may describe the rule.
    """

    own: tuple[str, ...]
    covering: frozenset[str]
    described: bool = False


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Gives one module's mutated source in place of its file."""

    def __init__(self, name: str, path: Path, code: str) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(
        self, fullname: str, path: object, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self.path))

    def get_source(self, fullname: str) -> str:
        return self.code

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.code, str(self.path), "exec")


class _Only:
    """A pytest plugin: of what was collected, only these ids."""

    def __init__(self, ids: Collection[str]) -> None:
        self.ids = ids

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.ids]


class Contexts:
    """A pytest plugin that tells coverage which test is running, or which file is collected."""

    def __init__(self, switch: Callable[[str], object]) -> None:
        self.switch = switch

    @pytest.hookimpl(tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> None:
        if isinstance(collector, pytest.Module):
            self.switch(collector.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        self.switch(item.nodeid)


def warm() -> None:
    """Import what every child would import anyway."""
    for name in WARM:
        importlib.import_module(name)
    gc.freeze()


def start(*paths: str) -> None:
    """Import the rules, and the modules at ``paths``."""
    for name in ("hooks.patient_view", "hooks.order_select", *map(module_name, paths)):
        importlib.import_module(name)


def module_name(path: str) -> str:
    """``hooks/rules/iron.py`` is ``hooks.rules.iron``."""
    return path.removesuffix(".py").replace("/", ".")


def forked(work: Callable[[], int], seconds: float) -> int | None:
    """The exit status of ``work`` in a child that writes to SAID; None: it took too long."""
    SAID.parent.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        said = os.open(SAID, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        status = 70
        with contextlib.suppress(BaseException):
            status = work()
        os._exit(status)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def run_pytest(arguments: Sequence[str], plugins: Sequence[object]) -> int:
    """Pytest in this process, quiet, without a cache of its own; ends at the first failure."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they cost more than most tests here
    quiet = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:unraisableexception"]
    quiet += ["-p", "_hypothesis_pytestplugin"]
    quiet += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is imported already
    return int(pytest.main([*quiet, *arguments], plugins=list(plugins)))


def fate(path: str, code: str, tests: Tests) -> Fate:
    """What the tests say to a mutant of the module at ``path``."""

    others = sorted({one.split("::")[0] for one in tests.covering} - set(tests.own))
    only = [_Only(tests.covering)]
    stages: list[tuple[Sequence[str], list[_Only]]] = [(tests.own, [])] if tests.own else []
    stages += [([_PAGES], [])] if tests.described else []
    stages += [(group, only) for group in _groups(others)]
    for arguments, plugins in stages:
        # Each in a child of its own: what one leaves behind is nothing to the next.
        answer = _FATES.get(forked(partial(_stage, path, code, arguments, plugins), _MOST_SECONDS))
        if answer is not Fate.SURVIVED:
            return answer or Fate.KILLED
    return Fate.SURVIVED


def _stage(path: str, code: str, arguments: Sequence[str], plugins: Sequence[_Only]) -> int:
    sys.dont_write_bytecode = True
    sys.meta_path.insert(0, _Mutated(module_name(path), ROOT / path, code))
    try:
        start(path)
    except Exception:
        return _REFUSED
    return _KILLED if run_pytest(arguments, plugins) else 0


def control(tests: frozenset[str]) -> Fate:
    """What the tests say to an unchanged module: they must let it live."""
    path = "hooks/windows.py"
    return fate(path, (ROOT / path).read_text(encoding="utf-8"), Tests((), tests, described=True))


def _groups(files: Sequence[str]) -> list[list[str]]:
    """Quick ones first: each folder by itself, in the order of what its tests cost."""
    order = ("tests/rules/", "tests/core/", "tests/test_", "tests/fhir_reading/")
    rest = list(files)
    groups = []
    for start in (*order, "tests/"):
        groups.append([one for one in rest if one.startswith(start)])
        rest = [one for one in rest if not one.startswith(start)]
    return [group for group in groups if group]


_KILLED, _REFUSED = 10, 11
_PAGES = "tests/docs/test_generated.py::test_no_page_is_stale"
_FATES = {0: Fate.SURVIVED, _REFUSED: Fate.REFUSED, None: Fate.TIMED_OUT}
