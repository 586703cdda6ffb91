"""What the Dockerfile promises, as far as it can be checked without building the image."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
STAGES = [
    re.findall(r"^([A-Z]+)\s+(.*)$", stage, flags=re.MULTILINE)
    for stage in re.split(r"(?=^FROM )", TEXT, flags=re.MULTILINE)
]
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _last(instruction: str) -> str:
    return [value for word, value in STAGES[-1] if word == instruction][-1]


def test_the_base_is_an_argument_for_both_stages_and_has_no_default() -> None:
    before, builder, image = STAGES
    assert before == [("ARG", "BASE")]
    assert builder[0] == ("FROM", "${BASE} AS builder")
    assert image[0] == ("FROM", "${BASE}")


@pytest.mark.parametrize(
    ("base", "accepted"),
    [
        ("docker.io/library/python:3.11-slim@sha256:" + "a" * 64, True),
        ("localhost/debian-python:bookworm", True),
        ("docker.io/library/python:3.11-slim", False),
        ("", False),
    ],
)
def test_the_base_must_be_named_by_its_digest(base: str, accepted: bool) -> None:
    (check,) = [value for word, value in STAGES[1] if word == "RUN" and "sha256" in value]
    process = subprocess.run(
        ["sh", "-c", check], env={"BASE": base}, capture_output=True, check=False
    )
    assert (process.returncode == 0) is accepted
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    command = ["make", "--dry-run", "image", f"BASE={base}"]
    assert (
        subprocess.run(
            command, cwd=CHECKOUT, env=environment, capture_output=True, check=False
        ).returncode
        == 0
    )
    if not accepted:
        process = subprocess.run(
            ["make", "image", f"BASE={base}"],
            cwd=CHECKOUT, env=environment, capture_output=True, check=False,
        )  # fmt: skip
        assert process.returncode != 0
        assert b"digest" in process.stderr


@pytest.mark.parametrize(
    ("version", "status"),
    [("", 0), ("{}.{}".format(*sys.version_info[:2]), 0), ("3.10", 1), ("3.1", 1)],
)
def test_the_python_that_is_asked_for_is_the_one_of_the_base(version: str, status: int) -> None:
    (check,) = [value for word, value in STAGES[1] if word == "RUN" and "version_info" in value]
    folder = str(Path(sys.executable).parent)
    environment = {"PYTHON_VERSION": version, "PATH": f"{folder}:{os.environ['PATH']}"}
    process = subprocess.run(
        ["sh", "-c", check], env=environment, capture_output=True, text=True, check=False
    )
    assert process.returncode == status, process.stderr
    assert not status or f"not {version}." in process.stderr


def test_everything_that_is_installed_is_verified_by_hash() -> None:
    steps = [step for word, run in STAGES[1] if word == "RUN" for step in run.split("&&")]
    installs = [step for step in steps if "pip" in step and " install " in step]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install
    (wheel,) = [step for step in steps if "pip wheel" in step]
    assert "--no-build-isolation" in wheel
    assert "--no-index" in wheel


def test_the_image_contains_a_bill_of_materials() -> None:
    run = " ".join(value for word, value in STAGES[1] if word == "RUN")
    assert "cyclonedx-py environment" in run
    assert "--output-file /opt/cds-service/sbom.cdx.json" in run
    assert ("COPY", "--from=builder /opt/cds-service /opt/cds-service") in STAGES[2]


def test_runs_as_the_user_that_compose_and_kubernetes_require() -> None:
    compose = yaml.safe_load((CHECKOUT / "compose.yaml").read_text(encoding="utf-8"))
    assert _last("USER") == compose["services"]["cds-service"]["user"] == "10001:10001"


def test_starts_the_command_that_the_package_installs() -> None:
    (command,) = json.loads(_last("ENTRYPOINT"))
    assert command in PROJECT["scripts"]
    assert json.loads(_last("CMD")) == ["serve", "--host", "0.0.0.0", "--port", _last("EXPOSE")]


def test_stops_as_the_service_expects_and_reports_its_health() -> None:
    assert _last("STOPSIGNAL") == "SIGTERM"
    probe = json.loads(_last("HEALTHCHECK").partition("CMD ")[2])
    assert probe[:2] == ["python3", "-c"]
    compile(probe[2], "HEALTHCHECK", "exec")
    assert f"{_last('EXPOSE')}, timeout" in probe[2]
    assert "'/healthz'" in probe[2]


def test_keeps_its_database_on_the_volume() -> None:
    assert f"CDS_DATABASE_URL=sqlite:///{_last('VOLUME')}/" in _last("ENV")


WHEEL = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"][
    "build"
]["targets"]["wheel"]


@pytest.mark.parametrize(
    "file",
    [
        PROJECT["readme"],
        *PROJECT["license-files"],
        *WHEEL["packages"],
        *WHEEL.get("force-include", ()),
        "hatch_build.py",
    ],
)
def test_what_the_build_of_the_wheel_reads_is_sent_to_the_builder(file: str) -> None:
    sent = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = " ".join(value for word, value in STAGES[1] if word == "COPY").split()
    assert f"!{file}" in sent
    assert file in copied
    assert (CHECKOUT / file).exists()
