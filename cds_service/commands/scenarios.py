"""The answers to a topic's scenarios, each with its settings and at its moment."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.errors import BadRequest, ServiceError
from cds_service.settings import Settings

if TYPE_CHECKING:
    from cds_service.answer.answering import AnsweredCall
    from cds_service.engine.topic import Topic


def answered_scenarios(
    topic: Topic, scenarios: Path, **unless_set: object
) -> Iterator[tuple[str, AnsweredCall]]:
    """The name and the answer of each scenario in a folder, by name.

    ``unless_set`` are settings for scenarios that do not set them; the environment is ignored.
    A scenario that cannot be read, or whose request is refused, is left out.
    """
    parts_by_settings: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for request in sorted(scenarios.glob("*/request.json")):
            try:
                expected = read_expected(request.with_name("expected.json"))
            except BadRequest:
                continue  # `cds-service check` names this
            chosen = {**unless_set, **expected.settings}
            settings = json.dumps(chosen, sort_keys=True)
            try:
                if settings not in parts_by_settings:
                    parts_by_settings[settings] = make_parts(
                        _settings(topic, folder, chosen), (topic,)
                    )
                answered = ask(parts_by_settings[settings], request.read_bytes(), expected.as_of)
            except ServiceError:
                continue
            yield request.parent.name, answered


class Expected(NamedTuple):
    """What ``expected.json`` says of a scenario: moment, settings, and the rules of its cards."""

    as_of: datetime
    settings: Mapping[str, Any]
    rules: tuple[str, ...]


def read_expected(path: Path) -> Expected:
    """The content of an ``expected.json``. Raises BadRequest saying what is wrong with it."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"it cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise BadRequest("it is not a JSON object.")
    try:
        as_of = datetime.fromisoformat(content["as_of"])
    except (KeyError, TypeError, ValueError):
        raise BadRequest(
            "as_of is missing or is not a time.", "Write it like 2026-11-23T12:00:00Z."
        ) from None
    settings = content.get("settings", {})
    if not isinstance(settings, dict):
        raise BadRequest("settings is not a JSON object.")
    try:
        rules = tuple(str(card["rule"]) for card in content.get("cards", ()))
    except (KeyError, TypeError):
        raise BadRequest(
            "cards is not a list of objects.", "Give each card the id of its rule."
        ) from None
    return Expected(as_of, settings, rules)


def _settings(topic: Topic, folder: str, chosen: Mapping[str, Any]) -> Settings:
    """The default settings, whatever the environment says, with those of a scenario."""
    plain = {
        name: field.default for name, field in Settings.model_fields.items() if field.alias is None
    }
    options = {option.name: option.default for option in topic.options}
    own = {"topics": (topic.key,), "database_url": f"sqlite:///{folder}/records.db"}
    return Settings(**{**plain, **options, **chosen, **own})
