"""A rule with a placeholder of `new-rule` is not served, whichever way the service is started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cds_service.app import create_app
from cds_service.catalogue import topics
from cds_service.catalogue.unfinished import placeholders, refuse_unfinished
from cds_service.core.knowledge import Limits
from cds_service.core.patient import Site
from cds_service.engine.rule import Rule, reviewing
from cds_service.engine.topic import Topic
from cds_service.errors import StartupError
from cds_service.serving import server
from cds_service.settings import Settings
from tests.api.minimal_service import low_potassium, quinine_ordered
from tests.testing.databases import empty_sqlite

DRAFT = (
    "def check(facts, others=()):\n"
    '    """TODO new-rule: say in one sentence what the rule says."""\n'
)
FINISHED = 'def check(facts, others=()):\n    """A rule. What is left to do is in its table."""\n'


def topic(file: Path, text: str, review: bool = False) -> Topic:
    """Leg cramps with one more rule, which is in ``file``."""
    file.write_text(text, encoding="utf-8")
    namespace: dict[str, object] = {}
    exec(compile(text, str(file), "exec"), namespace)
    check: object = namespace["check"]
    added: Rule = (
        reviewing(low_potassium, check)  # type: ignore[arg-type]
        if review
        else replace(low_potassium, check=check)  # type: ignore[arg-type]
    )
    from hooks import TOPIC

    service = replace(TOPIC.services[0], rules=(quinine_ordered, added))
    return replace(TOPIC, services=(service,))


@pytest.mark.parametrize("review", [False, True])
def test_a_placeholder_refuses_the_start_except_with_the_demo_page(
    tmp_path: Path, review: bool
) -> None:
    draft = topic(tmp_path / "rule.py", DRAFT, review)
    with pytest.raises(StartupError, match=r"rule\.py:2 has a placeholder .*: say in one sentence"):
        refuse_unfinished([draft], [Site(Limits({}))], demo=False)
    refuse_unfinished([draft], [Site(Limits({}))], demo=True)
    refuse_unfinished(
        [topic(tmp_path / "rule.py", FINISHED, review)], [Site(Limits({}))], demo=False
    )


def test_a_draft_that_every_site_has_switched_off_does_not_count(tmp_path: Path) -> None:
    draft = topic(tmp_path / "rule.py", DRAFT)
    off, on = Site(Limits({}), rules_off=frozenset({low_potassium.id})), Site(Limits({}))
    refuse_unfinished([draft], [off, off], demo=False)
    for sites in ([off, on], [on, off]):
        with pytest.raises(StartupError, match="has a placeholder"):
            refuse_unfinished([draft], sites, demo=False)


def test_every_way_to_start_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = topic(tmp_path / "rule.py", DRAFT)
    monkeypatch.setattr(topics, "chosen_topics", lambda _settings: (draft,))
    monkeypatch.setattr(server, "_app", None)
    settings = Settings(database_url=empty_sqlite(tmp_path / "records.db"), demo=False)
    for start in (create_app, server.load):
        with pytest.raises(StartupError, match="has a placeholder"):
            start(settings)
    create_app(settings.model_copy(update={"rules_off": (low_potassium.id,)}), start=False)


def test_placeholders_are_found_in_every_kind_of_file(tmp_path: Path) -> None:
    texts = {
        "a.toml": '[complement]\n"low" = "TODO new-rule: say why the rule exists."\n',
        "b.py": 'advice=("TODO new-rule: say what to do.",),\n'
        'strength="TODO new-rule: say how strong, and why.",\n',
        "c.py": "# TODO: a note of the author keeps nothing from starting.\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "d.py").write_bytes(b"\xff TODO new-rule: x")
    files = [tmp_path / name for name in (*texts, "d.py", "absent.py")]
    assert [(file.name, line, text) for file, line, text in placeholders(files)] == [
        ("a.toml", 2, "say why the rule exists"),
        ("b.py", 1, "say what to do"),
        ("b.py", 2, "say how strong, and why"),
    ]
