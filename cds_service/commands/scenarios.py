"""The answers to a topic's scenarios, each with its settings and at its moment."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.errors import ServiceError
from cds_service.settings import Settings

if TYPE_CHECKING:
    from cds_service.answer.answering import Answered
    from cds_service.engine.topic import Topic


def answered_scenarios(
    topic: Topic, scenarios: Path, **unless_set: object
) -> Iterator[tuple[str, Answered]]:
    """The name and the answer of each scenario in a folder, by name.

    ``unless_set`` are settings for scenarios that do not set them; the environment is ignored.
    A scenario that cannot be read, or whose request is refused, is left out.
    """
    parts_by_settings: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for request in sorted(scenarios.glob("*/request.json")):
            try:
                expected = json.loads(request.with_name("expected.json").read_text("utf-8"))
                chosen = {**unless_set, **expected.get("settings", {})}
                when = datetime.fromisoformat(expected["as_of"])
            except (OSError, ValueError, KeyError, AttributeError, TypeError):
                continue  # `cds-service check` names this
            settings = json.dumps(chosen, sort_keys=True)
            try:
                if settings not in parts_by_settings:
                    parts_by_settings[settings] = make_parts(
                        _settings(topic, folder, chosen), (topic,)
                    )
                answered = ask(parts_by_settings[settings], request.read_bytes(), when)
            except ServiceError:
                continue
            yield request.parent.name, answered


def _settings(topic: Topic, folder: str, chosen: Mapping[str, Any]) -> Settings:
    """The default settings, whatever the environment says, with those of a scenario."""
    plain = {
        name: field.default for name, field in Settings.model_fields.items() if field.alias is None
    }
    options = {option.name: option.default for option in topic.options}
    own = {"topics": (topic.key,), "database_url": f"sqlite:///{folder}/records.db"}
    return Settings(**{**plain, **options, **chosen, **own})
