"""compose.yaml: the service and its database, neither as root, each with a health check."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cds_service.settings import Settings
from hooks import TOPIC

FILE = Path(__file__).resolve().parents[2] / "compose.yaml"
TEXT = FILE.read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
BOTH = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def test_there_is_one_service_and_one_database() -> None:
    assert SERVICES.keys() == {"cds-service", "database"}


@BOTH
def test_runs_as_a_numbered_user_that_is_not_root(service: dict[str, Any]) -> None:
    user, group = service["user"].split(":")
    assert int(user) > 0
    assert int(group) > 0


@BOTH
def test_cannot_write_to_its_image_or_gain_privileges(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc"}


@BOTH
def test_has_resource_limits_a_health_check_and_time_to_stop(service: dict[str, Any]) -> None:
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert int(service["stop_grace_period"].removesuffix("s")) >= 45


def test_the_service_waits_for_a_healthy_database() -> None:
    assert SERVICES["cds-service"]["depends_on"] == {"database": {"condition": "service_healthy"}}


def test_only_the_service_is_reachable_and_only_from_this_host() -> None:
    (published,) = SERVICES["cds-service"]["ports"]
    assert published.startswith("127.0.0.1:")
    assert "ports" not in SERVICES["database"]
    networks = yaml.safe_load(TEXT)["networks"]
    assert all(networks[name]["internal"] for name in SERVICES["database"]["networks"])


def test_no_password_is_written_down_and_a_missing_one_stops_the_start() -> None:
    variables = re.findall(r"\$\{(POSTGRES_PASSWORD|CDS_PUBLIC_URL)([^}]*)\}", TEXT)
    assert {name for name, _ in variables} == {"POSTGRES_PASSWORD", "CDS_PUBLIC_URL"}
    assert all(rest.startswith(":?") for _, rest in variables)
    assert SERVICES["database"]["environment"]["POSTGRES_PASSWORD"].startswith("${")


def test_every_variable_of_the_service_is_a_setting_and_callers_are_checked() -> None:
    known = {
        (field.alias or f"CDS_{name}").upper() for name, field in Settings.model_fields.items()
    }
    known |= {f"CDS_{option.name.upper()}" for option in TOPIC.options}
    given = SERVICES["cds-service"]["environment"]
    assert given.keys() <= known
    assert "CDS_INSECURE_OPEN" not in given
    (secret,) = SERVICES["cds-service"]["secrets"]
    assert given["CDS_TRUSTED_CLIENTS"] == f"/run/secrets/{secret}"


def test_service_and_database_agree_on_user_name_and_database() -> None:
    url = SERVICES["cds-service"]["environment"]["CDS_DATABASE_URL"]
    database = SERVICES["database"]["environment"]
    assert url.startswith(f"postgresql+psycopg://{database['POSTGRES_USER']}:")
    assert url.endswith(f"@database:5432/{database['POSTGRES_DB']}")
