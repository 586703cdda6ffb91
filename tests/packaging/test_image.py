"""The Dockerfile's promises, as far as they can be read without building it."""

from __future__ import annotations

import json
import re
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


def test_the_base_is_an_argument_for_both_stages() -> None:
    before, builder, image = STAGES
    assert [word for word, _ in before] == ["ARG"]
    assert before[0][1].startswith("BASE=")
    assert builder[0] == ("FROM", "${BASE} AS builder")
    assert image[0] == ("FROM", "${BASE}")


def test_runs_as_the_same_user_that_compose_and_kubernetes_demand() -> None:
    compose = yaml.safe_load((CHECKOUT / "compose.yaml").read_text(encoding="utf-8"))
    assert _last("USER") == compose["services"]["cds-service"]["user"] == "10001:10001"


def test_starts_the_command_that_the_package_installs() -> None:
    (command,) = json.loads(_last("ENTRYPOINT"))
    assert command in PROJECT["scripts"]
    assert json.loads(_last("CMD")) == ["serve", "--host", "0.0.0.0", "--port", _last("EXPOSE")]


def test_stops_as_the_service_expects_and_tells_its_health() -> None:
    assert _last("STOPSIGNAL") == "SIGTERM"
    probe = json.loads(_last("HEALTHCHECK").partition("CMD ")[2])
    assert probe[:2] == ["python3", "-c"]
    compile(probe[2], "HEALTHCHECK", "exec")
    assert f"{_last('EXPOSE')}, timeout" in probe[2]
    assert "'/healthz'" in probe[2]


def test_keeps_its_database_on_the_volume() -> None:
    assert f"CDS_DATABASE_URL=sqlite:///{_last('VOLUME')}/" in _last("ENV")


@pytest.mark.parametrize("name", ["readme", "license-files"])
def test_what_the_build_of_the_wheel_reads_is_sent_to_the_builder(name: str) -> None:
    sent = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = " ".join(value for word, value in STAGES[1] if word == "COPY").split()
    wanted = PROJECT[name]
    for file in [wanted] if isinstance(wanted, str) else wanted:
        assert f"!{file}" in sent
        assert file in copied
        assert (CHECKOUT / file).is_file()
