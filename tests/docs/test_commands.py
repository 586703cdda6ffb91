"""Every command on a page is run, page by page, as a reader would run it, or is listed below with
the reason why not.

The commands of a page run in one shell, in a folder that looks like a fresh clone. Before the
first ``curl`` of a page the service is started with what the page has set so far; a ``serve``
that the page itself shows is checked (``cds-service check``) instead, since it would not end.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.testing import serving
from tests.testing.thorough import thorough

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")],
)

# (page, how the block begins): why no test runs it.
NOT_RUN = {
    ("README.md", "make run"): (
        "it would not end: a test below starts it and asks it; `make test` runs this test"
    ),
    ("README.md", "pip install ."): "tests/packaging/test_wheel.py installs the wheel and runs it",
    ("CONTRIBUTING.md", "apt-get install"): "installs packages; needs the rights of root",
    ("docs/tutorial.md", "git clone"): "the folder of this test is used as the clone",
    ("docs/tutorial.md", "make environment-dev"): "installs packages",
    ("docs/tutorial.md", "CDS_LIMITS=site-limits.toml make run"): "it would not end",
    ("docs/tutorial.md", ".venv/bin/cds-service evaluate fixtures/scenarios/low-sodium"): (
        "of the rule that tests/cli/test_new_rule.py writes"
    ),
    (
        "docs/how-to/connect-an-ehr.md",
        "git clone",
    ): "fetches the sandbox; `make sandbox` is for that",
    ("docs/how-to/deploy.md", "docker buildx"): "needs a registry of images",
    ("docs/how-to/deploy.md", "make image IMAGE_ARGS"): "needs a registry of images",
    ("docs/how-to/deploy.md", "docker run"): "needs a container runtime",
    ("docs/how-to/deploy.md", "make image BASE"): "needs a registry of images",
    ("docs/how-to/deploy.md", "kubectl apply"): "needs a cluster",
    ("docs/how-to/keep-and-erase-data.md", "cds-service audit"): (
        "the key is shortened on the page; tests/audit runs all three"
    ),
    ("docs/how-to/keep-and-erase-data.md", "sqlite3"): "needs the command of SQLite",
}

# These read what a service has stored.
STARTED = {"docs/how-to/keep-and-erase-data.md", "docs/how-to/read-feedback.md"}


def blocks() -> dict[str, list[str]]:
    """What a reader would type, block by block, of each page that shows commands."""
    blocks_of: dict[str, list[str]] = {}
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        for indent, kind, text in re.findall(
            r"^( *)```(sh|console)\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.M | re.S
        ):
            block = re.sub(f"^{indent}", "", text, flags=re.M)
            blocks_of.setdefault(name, []).append(typed(block) if kind == "console" else block)
    return blocks_of


def typed(text: str) -> str:
    """The commands of a console block. One whose answer begins with ``refused`` fails on purpose.
    >>> typed("$ a \\\\\\n    b\\nsaid\\n$ c\\nrefused x\\n")
    'a \\\\\\n    b\\n! c\\n'
    """
    commands = ""
    for command, answer in re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", text, re.M):
        commands += ("! " if re.search("^refused", answer, re.M) else "") + command + "\n"
    return commands


def reason(page: str, block: str) -> str:
    """Why a block is not run; empty where it is."""
    reasons = (
        why
        for (its_page, start), why in NOT_RUN.items()
        if its_page == page and block.startswith(start)
    )
    return next(reasons, "")


START = """
cds-service serve --real --demo --port {port} > served.log 2>&1 &
served=$!
trap 'kill $served' EXIT
for _ in {1..900}; do
  curl -s --max-time 90 -o /dev/null http://127.0.0.1:8000/healthz && break || sleep 0.1
done
curl -s -o /dev/null http://127.0.0.1:8000/healthz || { cat served.log; exit 1; }
"""
WRAPPER = """#!/bin/bash
words=("$@")
if [ "$1" = serve ] && [ "$2" = --real ]; then exec {program} serve "${{words[@]:2}}"; fi
if [ "$1" = serve ]; then exec {program} check; fi
exec {program} "$@"
"""


def a_checkout(clone: Path) -> None:
    """What `new-rule` and `check` read of a clone, which is not changed itself."""
    for name in ("hooks", "tests/rules"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    (clone / "docs").mkdir()
    for name in ("docs/traceability.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, clone / name)


EVERYDAY = ("README.md",)


@pytest.mark.parametrize(
    "page",
    [each if each in EVERYDAY else pytest.param(each, marks=thorough) for each in sorted(blocks())],
)
def test_the_commands_of_a_page_work(page: str, tmp_path: Path) -> None:
    script = START if page in STARTED else ""
    for block in blocks()[page]:
        if reason(page, block):
            continue
        if re.search(r"^curl ", block, re.M) and START not in script:
            script += START
        script += block
    if not script:
        return
    # Smaller, and separate from other runs; what the tests have installed is not installed again.
    script = script.replace("--patients 1000", "--patients 60").replace("/tmp/", f"{tmp_path}/")
    script = re.sub(r"^\.venv/bin/pip install -e '\.\[.*$", ":", script, flags=re.M)
    port = serving.free_port()
    script = script.replace("{port}", str(port)).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    clone = tmp_path / "clone"
    (clone / ".venv" / "bin").mkdir(parents=True)
    for name in ("fixtures", "deploy"):
        shutil.copytree(ROOT / name, clone / name)
    if "new-rule" in script:
        a_checkout(clone)
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "sitecustomize.py").write_text(f"import site; site.addsitedir({str(installed)!r})")
    for name, words in (
        ("pip", f"pip install -q --no-index --no-deps --no-build-isolation --target {installed}"),
        ("pytest", "pytest -p no:cacheprovider"),
    ):
        tool = clone / ".venv" / "bin" / name
        rest = "${@:2}" if name == "pip" else "$@"
        tool.write_text(f'#!/bin/bash\nexec {sys.executable} -m {words} "{rest}"\n')
        tool.chmod(0o755)
    (clone / "tools").symlink_to(ROOT / "tools")
    (clone / ".venv" / "bin" / "python").symlink_to(sys.executable)
    program = clone / ".venv" / "bin" / "cds-service"
    program.write_text(WRAPPER.format(program=f"{sys.executable} -m cds_service"))
    program.chmod(0o755)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CDS_")}
    environ["PATH"] = f"{program.parent}:{environ['PATH']}"
    environ["PYTHONPATH"] = f"{installed}:{ROOT}"
    environ["CDS_PUBLIC_URL"] = f"http://127.0.0.1:{port}"
    process = subprocess.run(
        ["bash", "-euo", "pipefail", "-x", "-c", script],
        cwd=clone,
        env=environ,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert process.returncode == 0, f"{process.stdout[-1500:]}\n{process.stderr[-3000:]}"


@thorough
def test_make_run_serves_the_demo_page_and_stops() -> None:
    """As the README has it, but for the port. The environment is there: nothing is installed."""
    port = serving.free_port()
    process = subprocess.Popen(
        ["make", "run", f"PORT={port}"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith(("CDS_", "MAKE"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        serving.until(lambda: answers(port), "the demo page")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    assert f"127.0.0.1:{port}" in said, said


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as page:
            return b"<title>" in page.read()
    except OSError:
        return False


def test_each_block_that_is_not_run_is_still_on_its_page() -> None:
    stale = [
        key
        for key in NOT_RUN
        if not any(block.startswith(key[1]) for block in blocks().get(key[0], []))
    ]
    assert stale == []
