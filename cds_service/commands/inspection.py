"""``cds-service check``: everything that a start checks, and what rules, topics and sites lack.

A start stops at the first fault; here each part is checked by itself, so that all faults are
reported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from cds_service.app import make_parts
from cds_service.catalogue.sites import SETTING, Hospital, each_hospital, population_limits
from cds_service.catalogue.topics import InstalledTopic, chosen_topics, installed_topics, options_of
from cds_service.commands.lacking import lacking
from cds_service.core.identity import DEFAULT_SITE
from cds_service.core.knowledge import KnowledgeError
from cds_service.engine.agreement import contradictions
from cds_service.errors import ServiceError, StartupError, Unavailable
from cds_service.outbound.fhir_servers import checked_servers
from cds_service.population.limits import checked_limits
from cds_service.serving.server import refuse_unguarded
from cds_service.settings import read_settings, unknown_variables
from cds_service.storage.database import open_database
from cds_service.terminology.codes import CodeError
from cds_service.trust.clients import check_sites, load_clients

if TYPE_CHECKING:
    from cds_service.engine.topic import Topic
    from cds_service.settings import Settings
    from cds_service.trust.clients import Client


_BARE = {
    "limits": None,
    "rules_off": (),
    "rules_silent": (),
    "sites": None,
    "order_codes": None,
    "trusted_clients": None,
    "fhir_servers": (),
    "database_url": "sqlite:///cds-service.db",
}
"""Defaults for the settings that are checked one by one."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The faults, one line each, and how many rules, sites and clients were checked."""

    faults: tuple[str, ...]
    rules: int = 0
    sites: int = 0
    clients: int = 0


def inspect(host: str, today: date) -> Inspection:
    """Check the settings, the files that they name and the installed topics.

    ``host`` is the address that the service would listen on. Nothing is written, no server is
    called, and the database is only read, where there is one.
    """
    installed: dict[str, InstalledTopic] = {}
    faults: list[str] = []
    settings, refusal = None, ""
    try:
        settings = read_settings()
    except StartupError as error:
        refusal = str(error)
    served = settings.topics if settings else ()
    _note_fault(lambda: installed.update(installed_topics(served)), faults)
    options = options_of([package.topic for package in installed.values()])
    faults += [
        f"{name} is not a setting" + (f"; did you mean {nearest}?" if nearest else ".")
        for name, nearest in unknown_variables(os.environ, options)
    ]
    if settings is None:
        return Inspection((*faults, refusal))
    _note_fault(lambda: refuse_unguarded(settings, host), faults)
    _note_fault(lambda: checked_servers(settings.fhir_servers, "CDS_FHIR_SERVERS"), faults)
    _note_fault(lambda: _database(settings), faults)
    listed: list[Client] = []
    path = settings.trusted_clients
    if path is not None:
        _note_fault(lambda: listed.extend(load_clients(path)), faults)
    lacks: list[str] = []
    for key, package in installed.items():
        if not settings.topics or key in settings.topics:
            try:
                lacks += [
                    f"topic {key}: {lack}" for lack in lacking(package.topic, today, package.folder)
                ]
            except (KnowledgeError, CodeError) as error:  # a file of the topic cannot be read
                lacks.append(f"topic {key}: {str(error).rstrip('.')}.")
    lacks += _contradictions(
        [installed[key].topic for key in settings.topics or installed if key in installed]
    )
    faults += lacks
    topics: list[Topic] = []
    refused: list[str] = []
    if installed:
        _note_fault(
            lambda: topics.extend(chosen_topics(settings.model_copy(update=_BARE))), refused
        )
    if not topics:
        # Where something is lacking, the first refusal would only repeat it.
        return Inspection((*faults, *(() if lacks else refused)), clients=len(listed))
    before = len(faults)
    _note_fault(lambda: chosen_topics(settings), faults)
    own = {name: _BARE[name] for name in ("limits", "rules_off", "rules_silent")}
    of_sites = settings if len(faults) == before else settings.model_copy(update=own)
    sites = _sites(of_sites, topics, listed, faults)
    _note_fault(lambda: checked_limits(population_limits(settings.sites)), faults)
    # Whatever else a start would refuse; with faults found, without the settings checked above.
    rest = settings.model_copy(update=_BARE) if faults else settings
    _note_fault(lambda: make_parts(rest, topics), faults)
    rules = len({rule.id for topic in topics for rule in topic.rules})
    return Inspection(tuple(dict.fromkeys(faults)), rules, sites, len(listed))


def _contradictions(topics: Sequence[Topic]) -> list[str]:
    """What topics that are served together contradict; nothing where that cannot be checked."""
    try:
        return [f"{contradiction}." for contradiction in contradictions(topics)]
    except Exception:
        return []  # named with what its topic lacks


def _note_fault(check: Callable[[], object], faults: list[str]) -> None:
    try:
        check()
    except ServiceError as error:
        faults.append(" ".join(str(error).split()))


def _database(settings: Settings) -> None:
    database = open_database(settings.database_url)
    if not database.exists:
        return
    try:
        with database.read(prompt=True):
            pass
    except Unavailable as error:
        raise StartupError(f"CDS_DATABASE_URL: {error}") from None
    finally:
        database.close()


# --- sites ---------------------------------------------------------------------------------------


def _sites(
    settings: Settings, topics: Sequence[Topic], clients: Sequence[Client], faults: list[str]
) -> int:
    hospitals_by_name: dict[str, Hospital | None] = {}
    try:
        for name, hospital in each_hospital(settings, topics):
            if isinstance(hospital, StartupError):
                faults.append(str(hospital))
                hospitals_by_name[name] = None
            else:
                hospitals_by_name[name] = hospital
                faults += [f"{SETTING}: site {name}: {lack}" for lack in _site_lacks(hospital)]
    except StartupError as error:  # the file itself
        faults.append(str(error))
        return 0
    _note_fault(lambda: check_sites(clients, hospitals_by_name), faults)
    if settings.sites:
        named = {
            site for client in clients for site in (client.site, *client.tenant_sites.values())
        }
        for name in (site for site in hospitals_by_name if site not in {*named, DEFAULT_SITE}):
            faults.append(f"{SETTING}: site {name}: no client of CDS_TRUSTED_CLIENTS names it.")
    return len(hospitals_by_name)


def _site_lacks(hospital: Hospital) -> Iterator[str]:
    site = hospital.site
    for rule in sorted(site.rules_off & site.starts.keys()):
        yield f"start: {rule} is switched off at this site, so it never starts."
    if not hospital.topics:
        yield "topics: the site has none, so it answers no call."
    if site.profile == "epic":
        without = sorted(
            key
            for key, orderable in hospital.orderables.items()
            if not any(code.system.startswith("urn:com.epic.") for code in orderable.codes)
        )
        if without:
            yield (
                "profile epic: order_codes has no preference-list item for "
                f"{', '.join(without)}, so these suggested orders cannot be placed."
            )
