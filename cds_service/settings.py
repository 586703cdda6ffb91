"""Every setting of the service: name, meaning, unit, default.

Settings come from the environment with the prefix ``CDS_`` (``CDS_PUBLIC_URL`` sets
``public_url``). ``cds-service settings`` lists them; ``docs/reference/settings.md`` is
generated from this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cds_service.errors import StartupError

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """The settings of one running service (immutable).

    A topic may have settings of its own (`cds_service.engine.topic.Option`): what is given beyond
    the fields is kept in ``model_extra`` for them.
    """

    model_config = SettingsConfigDict(env_prefix="CDS_", frozen=True, extra="allow")

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: Any, **named: Any
    ) -> tuple[Any, ...]:
        """What the program gives, then the environment: for the fields, and for topics."""
        return named["init_settings"], named["env_settings"], _for_topics

    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="Base URL that clients call; the audience of their tokens. Unset, `serve` "
        "takes the address that it listens on.",
    )
    trusted_clients: str | None = Field(
        None,
        description="Path of a JSON file with the clients that may call. Unset: anybody on "
        "loopback may.",
    )
    token_max_age: float = Field(
        3600, gt=0, description="Longest life of a client's token, from iat to exp, in seconds."
    )
    client_calls: int = Field(
        64,
        gt=0,
        description="Calls that one client (without a client list: one address) may have in "
        "progress at a time.",
    )
    client_mb: float = Field(
        64, gt=0, description="Megabytes of request bodies that one client may have in progress."
    )
    process_mb: float = Field(
        256, gt=0, description="Megabytes of request bodies that one worker holds at a time."
    )
    body_seconds: float = Field(
        10, gt=0, description="Seconds in which a body must arrive; it must also keep 10 kB/s."
    )
    spec_version: Literal["2.0.1", "3.0"] = Field(
        "2.0.1",
        description="Which CDS Hooks specification discovery names. Calls and cards are the same.",
    )
    prefetch_windows: bool = Field(
        False,
        description="Prefetch templates ask for results only as far back as the rules look, by "
        "`today()` of CDS Hooks 3.0; results without a date then do not arrive.",
    )
    discovery_auth: bool = Field(False, description="Discovery needs a valid token, too.")
    insecure_open: bool = Field(
        False,
        description="Listen beyond loopback even without a client list, or with the demo page on.",
    )
    fhir_servers: CommaSeparated = Field(
        (), description="FHIR base URLs that may be called when no client list is used."
    )
    fhir_open: bool = Field(
        False, description="Call the allowed FHIR servers without an access token (sandboxes)."
    )
    fhir_deadline: float = Field(
        3.0, gt=0, le=60, description="Seconds in total for fetching what prefetch lacks."
    )
    database_url: str = Field(
        "sqlite:///cds-service.db",
        description="Where feedback, counters and token ids are kept (SQLAlchemy URL).",
    )
    card_key: str | None = Field(
        None,
        description="Secret that authenticates card ids. Unset: made once, kept in the database.",
    )
    snooze: bool = Field(
        False, description="Hold back a card that was answered for the same patient and evidence."
    )
    retention_days: int | None = Field(
        None,
        ge=1,
        description="Days after which feedback and counts are deleted. Unset: kept until erased.",
    )
    audit: Literal["off", "digest", "full"] = Field(
        "off",
        description="What each call leaves in the audit trail: nothing, keyed digests, or also "
        "what the cards said and the evidence, encrypted.",
    )
    audit_key: str | None = Field(
        None, description="Public key for `full` (`cds-service audit keygen`), or its file."
    )
    audit_required: bool = Field(
        False, description="Answer a call only when its audit row has been written; else 503."
    )
    audit_days: int | None = Field(
        None,
        ge=1,
        description="Days after which audit rows are deleted. Unset: kept until erased.",
    )
    cors_origins: CommaSeparated = Field(
        ("https://sandbox.cds-hooks.org", "http://localhost:8080"),
        description="Browser origins that may call.",
    )
    max_body_mb: float = Field(32, gt=0, description="Largest request body, in megabytes (10^6).")
    max_info_cards: int = Field(
        3, ge=0, description="Maximum number of info cards in one patient-view response."
    )
    card_detail: Literal["short", "full"] = Field(
        "short",
        description="`full` adds resource ids and prefetch keys to a card's detail.",
    )
    rule_pages: bool | None = Field(
        None,
        description="Serve a page about each rule at /rules/ID and link it from cards. "
        "Unset: when CDS_PUBLIC_URL is set.",
    )
    topics: CommaSeparated = Field(
        (), description="Keys of the topics that are served. Unset: all that are installed."
    )
    rules_off: CommaSeparated = Field((), description="Ids of rules that are switched off.")
    rules_silent: CommaSeparated = Field(
        (),
        description="Ids of rules that are evaluated and counted as `would show`, but whose cards "
        "are not returned; `*` for all.",
    )
    sites: str | None = Field(
        None,
        description="Path of a TOML file with a `[site.NAME]` table for each hospital; each "
        "client in the client list names its site.",
    )
    limits: str | None = Field(None, description="Path of a file that overrides clinical limits.")
    order_codes: str | None = Field(
        None,
        description="Path of a file with a site's own codings for the orders that cards suggest.",
    )
    validate_models: Literal["cited", "all", "none"] = Field(
        "cited",
        alias="CDS_VALIDATE",
        description="Which resources are also validated with full FHIR models; the trace says so.",
    )
    demo: bool = Field(False, description="Serve the demo page at /.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level of log lines that are written."
    )
    log_format: Literal["json", "text"] | None = Field(
        None, description="How logs are written. Unset: text on a terminal, JSON elsewhere."
    )

    @property
    def rules_address(self) -> str:
        """The base address of the pages about rules that cards link to, or "" for no link."""
        served = self.rule_pages
        if served is None:
            served = "public_url" in self.model_fields_set
        return f"{self.public_url}/rules" if served else ""

    @property
    def serves_rule_pages(self) -> bool:
        """Whether ``/rules/ID`` is served: where cards link to it, and beside the demo page."""
        return bool(self.rules_address) or (self.demo and self.rule_pages is not False)

    @field_validator(
        "fhir_servers", "cors_origins", "topics", "rules_off", "rules_silent", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("prefetch_windows")
    @classmethod
    def _of_3_0(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("spec_version") != "3.0":
            raise ValueError("needs CDS_SPEC_VERSION=3.0: clients of 2.0.1 cannot fill today()")
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be an absolute http(s) URL")
        return value.rstrip("/")


def read_settings(**overrides: object) -> Settings:
    """Settings from the environment, with ``overrides`` taking precedence.

    Raises StartupError naming the setting and what to do.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # names and types are checked by pydantic
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        variable = name if name.startswith("CDS_") else f"CDS_{name.upper()}"
        raise StartupError(f"{variable}: {first['msg']}.", "Correct it or unset it.") from None


def _variables() -> list[str]:
    return [field.alias or f"CDS_{name.upper()}" for name, field in Settings.model_fields.items()]


def _for_topics() -> dict[str, str]:
    """The ``CDS_`` variables that are not settings of the service, by name."""
    own = set(_variables())
    environment = {name.upper(): value for name, value in os.environ.items()}
    return {
        name.removeprefix("CDS_").lower(): value
        for name, value in environment.items()
        if name.startswith("CDS_") and name not in own
    }


def unknown_variables(environ: Iterable[str], options: Iterable[str] = ()) -> list[tuple[str, str]]:
    """``CDS_`` variables that are neither settings nor ``options`` of a topic, each with the
    nearest of these or ""."""
    known_names = [*_variables(), *(f"CDS_{name.upper()}" for name in options)]
    return [
        (name, next(iter(get_close_matches(name, known_names, 1, 0.6)), ""))
        for name in sorted(environ)
        if name.startswith("CDS_") and name not in known_names
    ]


def list_settings(
    settings: Settings, options: Mapping[str, tuple[str, str, str]] = MappingProxyType({})
) -> list[dict[str, str]]:
    """Every setting as variable, value, default and description; secrets are masked.

    ``options`` are those of the topics: value, default and description, by name.
    """
    entries = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = _shown(name, value)
        entries.append(
            {
                "variable": field.alias or f"CDS_{name.upper()}",
                "value": shown,
                "default": _shown("", field.default),
                "description": field.description or "",
            }
        )
    for name, (value, default, description) in options.items():
        entries.append(
            {
                "variable": f"CDS_{name.upper()}",
                "value": value,
                "default": default,
                "description": description,
            }
        )
    return entries


def _shown(name: str, value: object) -> str:
    if value is None:
        return ""
    if name == "card_key":
        return "(set)"
    if name == "database_url" and "@" in str(value):
        scheme, _, rest = str(value).partition("://")
        return f"{scheme}://(credentials)@{rest.rpartition('@')[2]}"
    if isinstance(value, bool):
        return "1" if value else "0"
    return ",".join(value) if isinstance(value, tuple) else str(value)
