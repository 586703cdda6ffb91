"""The installed topics, chosen and checked, and the knowledge they share.

A topic is an entry point of the group ``cds_service.topics``. Two topics may share analytes,
limits, references and orders by their keys; where they disagree, the program does not start.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.calls import shapes
from cds_service.catalogue.limits_file import read_limits
from cds_service.core.knowledge import KnowledgeError, Limit, Limits, Reference
from cds_service.engine.checking import check_topics
from cds_service.engine.orderables import Orderables
from cds_service.engine.topic import Option, Topic
from cds_service.errors import StartupError
from cds_service.terminology.codes import CodeError

if TYPE_CHECKING:
    from cds_service.settings import Settings

GROUP = "cds_service.topics"


def chosen_topics(settings: Settings) -> tuple[Topic, ...]:
    """The topics that `CDS_TOPICS` names, else all installed ones, after checking them.

    Raises StartupError naming what is missing or wrong.
    """
    installed = _installed(settings.topics)
    if not installed:
        raise StartupError(
            "no topic is installed.",
            "Install this package again (`make environment-dev` in a checkout), or a package "
            f"with an entry point of the group {GROUP}.",
        )
    for key in settings.topics:
        if key not in installed:
            raise StartupError(
                f"CDS_TOPICS: no topic is called {key}.",
                f"The installed topics are {', '.join(installed)}.",
            )
    topics = tuple(installed[key] for key in settings.topics or installed)
    try:
        check_topics(topics)
        _check_hooks(topics)
        _check_names(options_of(topics), type(settings).model_fields)
        # Of those that are not served too: a misspelt value must not wait until they are.
        option_values(settings, tuple(installed.values()))
        limits(topics, settings.limits)
    except KnowledgeError as error:
        of_site = settings.limits is not None and str(error).startswith(settings.limits)
        raise StartupError(
            f"{str(error).rstrip('.')}.",
            "Correct it. `cds-service check` lists all that is wrong, with files and lines.",
            "CDS_LIMITS" if of_site else "",
        ) from None
    known_rules(settings.rules_off, topics, "CDS_RULES_OFF")
    silent = [rule for rule in settings.rules_silent if rule != "*"]
    known_rules(silent, topics, "CDS_RULES_SILENT")
    return topics


def _check_hooks(topics: Iterable[Topic]) -> None:
    for hook in dict.fromkeys(service.hook for topic in topics for service in topic.services):
        if not shapes.exists(hook.schema):
            raise KnowledgeError(
                f"hook {hook.name}: no JSON Schema of its context is called {hook.schema}"
            )


def _check_names(options: Iterable[str], settings: Container[str]) -> None:
    for name in options:
        if name in RESERVED or name in settings:
            raise KnowledgeError(f"option {name}: the service already uses this name")


RESERVED = frozenset(
    {
        "max_info_cards", "limits", "order_codes", "silent", "off", "topics", "card_detail",
        "profile", "start", "topic", "patient", "pasted", "hook", "drafts", "selections", "states",
        "as_of",
    }
)  # fmt: skip
"""Names that no option may have: keys of a site, and fields of the demo page's request."""


@dataclass(frozen=True, slots=True)
class InstalledTopic:
    """A topic with the name and the folder of its package."""

    topic: Topic
    package: str
    folder: Path


def names_of(topics: Sequence[Topic]) -> str:
    """The names of topics, for titles: "Leg cramps, Hyponatraemia"."""
    return ", ".join(topic.name for topic in topics)


def purposes(topics: Sequence[Topic]) -> str:
    """What the services of topics are for, to complete "services for …"."""
    *others, last = [topic.purpose or topic.name for topic in topics]
    return f"{', '.join(others)} and {last}" if others else last


def options_of(topics: Sequence[Topic]) -> Mapping[str, Option]:
    """The settings of all topics, by name."""
    return {option.name: option for topic in topics for option in topic.options}


def installed_options(served: tuple[str, ...]) -> Mapping[str, Option]:
    """The settings of the installed topics, by name; raises StartupError as `installed_topics`."""
    return options_of(list(_installed(served).values()))


def option_values(settings: Settings, topics: Sequence[Topic]) -> Mapping[str, str]:
    """What the settings say for each option of the topics.

    Raises StartupError naming the variable and its valid values.
    """
    extra, found = settings.model_extra or {}, {}
    for name, option in options_of(topics).items():
        found[name] = value = extra.get(name, option.default)
        if value not in option.values:
            raise StartupError(
                f"CDS_{name.upper()}: Input should be {alternatives(option)}.",
                "Correct it or unset it.",
            )
    return found


def alternatives(option: Option) -> str:
    """The valid values of an option, in words."""
    *others, last = [f"'{value}'" for value in option.values]
    return f"{', '.join(others)} or {last}" if others else last


def _installed(served: tuple[str, ...]) -> Mapping[str, Topic]:
    return {key: package.topic for key, package in installed_topics(served).items()}


def installed_keys() -> frozenset[str]:
    """The keys of all installed topics, also of those that cannot be loaded."""
    return frozenset(entry_point.name for entry_point in entry_points(group=GROUP))


def installed_topics(served: Container[str] = ()) -> Mapping[str, InstalledTopic]:
    """Every installed topic by key, checked or not.

    Raises StartupError naming a topic that cannot be loaded, and the line at fault. Where
    ``served`` names topics, others that cannot be loaded are left out: they are not needed.
    """
    installed: dict[str, InstalledTopic] = {}
    for key, found in found_topics().items():
        if isinstance(found, InstalledTopic):
            installed[key] = found
        elif not served or key in served:
            raise found
    return installed


@cache
def found_topics() -> Mapping[str, InstalledTopic | StartupError]:
    """Every installed topic by key, or why it cannot be loaded.

    Raises StartupError for two packages with one key.
    """
    found: dict[str, InstalledTopic | StartupError] = {}
    origins: dict[str, str] = {}
    for entry_point in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        key, origin = entry_point.name, entry_point.value
        if origins.setdefault(key, origin) != origin:
            raise StartupError(
                f"two installed packages have a topic {key}: {origins[key]} and {origin}.",
                "Remove one of them.",
            )
        try:
            found[key] = _loaded(entry_point)
        except StartupError as error:
            found[key] = error
    return found


def _loaded(entry_point: EntryPoint) -> InstalledTopic:
    """The topic of an entry point. Raises StartupError."""
    try:
        topic = entry_point.load()
    except (KnowledgeError, CodeError) as error:
        raise StartupError(
            f"the topic {entry_point.name}: {str(error).rstrip('.')}.", "Correct its files."
        ) from None
    except Exception as error:
        if _is_absent(error, entry_point.module.partition(".")[0]):
            raise StartupError(
                f"the topic {entry_point.name} ({entry_point.value}) cannot be loaded: {error}.",
                "Install its package again, or remove it.",
            ) from None
        raise StartupError(
            f"the topic {entry_point.name} cannot be loaded: {type(error).__name__}: {error} "
            f"({_place(error)}).",
            "Correct that line, or remove the package.",
        ) from None
    if not isinstance(topic, Topic) or topic.key != entry_point.name:
        raise StartupError(
            f"the entry point {entry_point.name} ({entry_point.value}) is not a Topic with "
            "that key.",
            "Name an object of cds_service.engine.topic.Topic with the same key.",
        )
    package = entry_point.module.partition(".")[0]
    return InstalledTopic(topic, package, Path(str(sys.modules[package].__file__)).parent)


def _is_absent(error: Exception, package: str) -> bool:
    """Whether the package, or another one that it imports, is not there."""
    if isinstance(error, ModuleNotFoundError):
        return not f"{error.name}".startswith(f"{package}.")
    return isinstance(error, ImportError) and error.name != package


def _place(error: Exception) -> str:
    """File and line of an error, in the code of a topic rather than in the import system."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    at = [frame for frame in frames if not frame.filename.startswith("<")][-1]
    return f"{at.filename}:{at.lineno}"


def patient_folders(topics: Sequence[Topic]) -> Mapping[str, Path]:
    """The folders with patients for the demo page, by the keys of their topics.

    A package has them in ``patients``, a checkout in ``fixtures/patients`` beside the package.
    """
    installed = installed_topics([topic.key for topic in topics])
    folders: dict[str, Path] = {}
    for topic in topics:
        if topic.key in installed:
            package = installed[topic.key].folder
            for folder in (package / "patients", package.parent / "fixtures" / "patients"):
                if (folder / "index.json").is_file() and folder not in folders.values():
                    folders[topic.key] = folder
                    break
    return folders


def example_request(topics: Sequence[Topic]) -> tuple[str, Path] | None:
    """The id of a service and the file of a request for it; None where no file is installed."""
    installed = installed_topics([topic.key for topic in topics])
    for topic in topics:
        if topic.example and topic.key in installed:
            checkout = installed[topic.key].folder.parent
            file = checkout / "fixtures" / "scenarios" / topic.example / "request.json"
            if file.is_file():
                return topic.services[0].id, file
    return None


def known_rules(names: Sequence[str], topics: Sequence[Topic], where: str) -> frozenset[str]:
    """The ids as a set. Raises StartupError naming an id that no rule has, and ``where`` it is."""
    rule_ids = {rule.id for topic in topics for rule in topic.rules}
    for name in names:
        if name not in rule_ids:
            raise StartupError(
                f"{where}: no rule is called {name}.", "`cds-service rules` lists them."
            )
    return frozenset(names)


def services_of(topics: Sequence[Topic]) -> Mapping[str, frozenset[str]]:
    """The ids of the services that evaluate each rule, by rule id."""
    found: dict[str, set[str]] = {}
    for topic in topics:
        for service in topic.services:
            for rule in service.rules:
                found.setdefault(rule.id, set()).add(service.id)
    return {rule: frozenset(services) for rule, services in found.items()}


def topic_of(topics: Sequence[Topic]) -> Mapping[str, str]:
    """The key of the topic of each rule, by rule id. A rule id belongs to one topic."""
    return {rule.id: topic.key for topic in topics for rule in topic.rules}


def references(topics: Sequence[Topic]) -> Mapping[str, Reference]:
    """The references of all topics, by key."""
    return {
        key: reference for topic in topics for key, reference in topic.knowledge.references.items()
    }


def orderables(topics: Sequence[Topic]) -> Orderables:
    """What cards of all topics may offer, by key."""
    return {
        key: orderable for topic in topics for key, orderable in topic.knowledge.orderables.items()
    }


def limits(
    topics: Sequence[Topic], site_limits: Mapping[str, object] | str | None, where: str = ""
) -> Limits:
    """The limits of all topics, overridden by a site's file (its path) or its entries.

    Raises KnowledgeError that names the file, the entry and how to correct it.
    """
    where = site_limits if isinstance(site_limits, str) else where
    entries = read_limits(site_limits) if isinstance(site_limits, str) else (site_limits or {})
    own = [frozenset(topic.knowledge.limits(None, "")) for topic in topics]
    merged: dict[str, Limit] = {}
    for number, topic in enumerate(topics):
        own_entries = {
            key: entry
            for key, entry in entries.items()
            # A key that no topic knows goes to the first topic, which refuses it.
            if key in own[number] or (number == 0 and not any(key in keys for keys in own))
        }
        merged.update(topic.knowledge.limits(own_entries or None, where))
    return Limits(merged)
