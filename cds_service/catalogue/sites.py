"""The hospitals that one process serves: the file that ``CDS_SITES`` names.

Each ``[site.NAME]`` table overrides the environment's settings for that hospital. The site
``default`` is made from the environment's settings; it applies where no client list names
another.
"""

from __future__ import annotations

import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cds_service.catalogue.order_codes import with_codes_of
from cds_service.catalogue.topics import (
    alternatives,
    installed_options,
    known_rules,
    limits,
    option_values,
    options_of,
    orderables,
)
from cds_service.core.identity import DEFAULT_SITE, DEMO_SITE
from cds_service.core.knowledge import KnowledgeError, Limits
from cds_service.core.patient import Site
from cds_service.errors import StartupError

if TYPE_CHECKING:
    from cds_service.engine.orderables import Orderables
    from cds_service.engine.topic import Topic
    from cds_service.settings import Settings

_E = TypeVar("_E")
SETTING = "CDS_SITES"
ALL = "*"
_Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")]


class _Table(BaseModel):
    """One ``[site.NAME]`` table; what it does not set comes from the environment."""

    # What is beyond these keys must be an option of a topic.
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    max_info_cards: Annotated[int, Field(ge=0)] | None = None
    limits: str | dict[str, Any] | None = None
    order_codes: str | None = None
    silent: list[str] | None = None
    off: list[str] | None = None
    topics: list[str] | None = None
    card_detail: Literal["short", "full"] | None = None
    profile: Literal["standard", "epic"] | None = None
    start: dict[str, date] = {}


class _Population(BaseModel):
    """``[population]``: the limits that `cds-service population` checks its outcome against, and
    the groups it reports separately (a name and the URL of an extension of Patient)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    limits: dict[str, Any] = {}
    subgroups: dict[_Name, str] = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    site: dict[_Name, _Table] = {}
    population: _Population = _Population()


@dataclass(frozen=True, slots=True)
class Hospital:
    """One site: its settings, its topics, and what its cards may offer."""

    site: Site
    topics: tuple[Topic, ...]
    orderables: Orderables = field(repr=False)


def hospitals(settings: Settings, topics: Sequence[Topic]) -> Mapping[str, Hospital]:
    """Every site by name; ``default`` is always among them.

    Raises StartupError that names the file, the site and the key, and how to correct it.
    """
    by_name: dict[str, Hospital] = {}
    for name, hospital in each_hospital(settings, topics):
        if isinstance(hospital, StartupError):
            raise hospital
        by_name[name] = hospital
    return by_name


def default_for_all(settings: Settings, topics: Sequence[Topic]) -> Hospital:
    """All topics with the settings of the site ``default``, whichever topics that site has.

    Raises StartupError as `hospitals`.
    """
    table = _tables(settings)[DEFAULT_SITE].model_copy(update={"topics": None})
    return _hospital(DEFAULT_SITE, table, settings, topics)


def each_hospital(
    settings: Settings, topics: Sequence[Topic]
) -> Iterator[tuple[str, Hospital | StartupError]]:
    """Every site by name, or what is wrong with its table.

    Raises StartupError for a sites file that cannot be read.
    """
    for name, table in _tables(settings).items():
        try:
            yield name, _hospital(name, table, settings, topics)
        except StartupError as error:
            yield name, error


def population_limits(path: str | None) -> dict[str, Any]:
    """``[population.limits]`` of the sites file, unchecked."""
    return _content(path).population.limits if path else {}


def population_subgroups(path: str | None) -> dict[str, str]:
    """``[population.subgroups]`` of the sites file: names and URLs of extensions."""
    return dict(_content(path).population.subgroups) if path else {}


def site_files(settings: Settings) -> tuple[Path, ...]:
    """The files that the sites' settings are read from."""
    files = [settings.sites, settings.limits, settings.order_codes]
    if settings.sites:
        folder = Path(settings.sites).parent
        for table in _content(settings.sites).site.values():
            paths = (table.limits, table.order_codes)
            files += [str(folder / name) for name in paths if isinstance(name, str)]
    return tuple(Path(name) for name in files if name)


def _tables(settings: Settings) -> dict[str, _Table]:
    return {DEFAULT_SITE: _Table()} | (_read(settings.sites) if settings.sites else {})


def _read(path: str) -> dict[str, _Table]:
    tables = dict(_content(path).site)
    if DEMO_SITE in tables:
        raise StartupError(
            f"{path}: site.{DEMO_SITE}: this name is reserved for calls of the demo page.",
            "Give the hospital another name.",
            SETTING,
        )
    return tables


def _content(path: str) -> _File:
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"), parse_float=str)
    except OSError as error:
        raise StartupError(
            f"the sites file {path!r} cannot be read ({error.strerror}).",
            f"Set {SETTING} to a file that can be read, or unset it.",
            SETTING,
        ) from None
    except ValueError as error:
        raise StartupError(
            f"the sites file {path!r} is not TOML: {error}.", "Correct the file.", SETTING
        ) from None
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"] if part != "[key]")
        raise StartupError(
            f"{path}: {where}: {_flaw(first)}.",
            _keys(()),
            SETTING,
        ) from None


def _keys(options: Iterable[str]) -> str:
    return f"The keys of a site are {', '.join((*options, *_Table.model_fields))}."


def _options(
    name: str, table: _Table, settings: Settings, topics: Sequence[Topic]
) -> Mapping[str, str]:
    """The options of the topics: of the site's table, else of the environment."""
    known_options, own = options_of(topics), table.model_extra or {}
    for key, value in own.items():
        where = f"{settings.sites}: site.{name}.{key}"
        if key not in known_options:
            # A file for all topics is valid where some of them are not served.
            known_options = {**installed_options(settings.topics), **known_options}
        if key not in known_options:
            raise StartupError(f"{where}: not a key of a site.", _keys(known_options), SETTING)
        if value not in known_options[key].values:
            raise StartupError(
                f"{where}: input should be {alternatives(known_options[key])}.",
                _keys(known_options),
                SETTING,
            )
    return {**option_values(settings, topics), **own}


def _flaw(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "not a key of a site" if error["loc"][0] == "site" else "write [site.NAME]"
    message = str(error["msg"])
    return message[0].lower() + message[1:]


def _hospital(name: str, table: _Table, settings: Settings, topics: Sequence[Topic]) -> Hospital:
    folder = Path(settings.sites).parent if settings.sites else Path()
    where = f"{SETTING}: site {name}"
    options = _options(name, table, settings, topics)
    own = _topics(table.topics, topics, where)
    silent = _rules(table.silent, settings.rules_silent, own, f"{where}: silent", "RULES_SILENT")
    off = _rules(table.off, settings.rules_off, own, f"{where}: off", "RULES_OFF")
    known_rules(list(table.start), topics, f"{where}: start")
    given = str(folder / table.limits) if isinstance(table.limits, str) else table.limits
    try:
        merged = (
            _only(limits(own, None), limits(topics, settings.limits, where))
            if given is None
            else limits(own, given, where)
        )
    except KnowledgeError as error:
        inline = "" if isinstance(table.limits, dict) else where  # the error names it already
        setting = "CDS_LIMITS" if table.limits is None else inline
        raise StartupError(f"{error}.", "Correct the limit.", setting) from None
    return Hospital(
        Site(
            limits=Limits(merged),
            max_info_cards=settings.max_info_cards
            if table.max_info_cards is None
            else table.max_info_cards,
            card_detail=table.card_detail or settings.card_detail,
            rules_off=off,
            rules_silent=silent,
            starts=dict(table.start),
            name=name,
            profile=table.profile or "standard",
            options=options,
        ),
        own,
        with_codes_of(str(folder / table.order_codes), orderables(own), where)
        if table.order_codes
        else _only(orderables(own), with_codes_of(settings.order_codes, orderables(topics))),
    )


def _only(own: Container[str], of_all: Mapping[str, _E]) -> Mapping[str, _E]:
    """Entries of the environment's file, which is for all topics: those of the site's topics."""
    return {key: entry for key, entry in of_all.items() if key in own}


def _topics(keys: list[str] | None, topics: Sequence[Topic], where: str) -> tuple[Topic, ...]:
    if keys is None:
        return tuple(topics)
    topics_by_key = {topic.key: topic for topic in topics}
    for key in keys:
        if key not in topics_by_key:
            raise StartupError(
                f"{where}: topics: no topic is called {key}.",
                f"The topics that are served are {', '.join(topics_by_key)}.",
            )
    return tuple(topics_by_key[key] for key in dict.fromkeys(keys))


def _rules(
    own: list[str] | None,
    general: Sequence[str],
    topics: Sequence[Topic],
    where: str,
    setting: str,
) -> frozenset[str]:
    """The ids that a site names, else those of the environment; ``*`` is every rule."""
    names = general if own is None else own
    where = f"CDS_{setting}" if own is None else where
    if ALL in names:
        return frozenset(rule.id for topic in topics for rule in topic.rules)
    if own is None:  # the environment names rules of all topics, not only of this site's
        return frozenset(names)
    return known_rules(names, topics, where)
