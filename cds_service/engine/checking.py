"""What a start refuses: a topic that is wrong, and topics that contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.core.knowledge import KnowledgeError
from cds_service.engine.agreement import contradictions
from cds_service.engine.rule import check_rules
from cds_service.engine.topic import Topic


def check_topics(topics: Sequence[Topic]) -> None:
    """Raise KnowledgeError naming the topic and the rule or key that is wrong."""
    for topic in topics:
        try:
            _check_topic(topic)
        except KnowledgeError as error:
            raise KnowledgeError(f"topic {topic.key}: {error}") from None
    for contradiction in contradictions(topics):
        raise KnowledgeError(contradiction)


def _check_topic(topic: Topic) -> None:
    knowledge = topic.knowledge
    limits = knowledge.limits(None, "")
    if not topic.services:
        raise KnowledgeError("it has no services")
    for option in topic.options:
        plain = option.name.isidentifier() and option.name == option.name.lower()
        if not plain or not option.choices:
            raise KnowledgeError(f"option {option.name}: it needs a name like a_name and choices")
    if len({option.name for option in topic.options}) < len(topic.options):
        raise KnowledgeError("two of its options have the same name")
    for service in topic.services:
        for attribute in ("id", "title", "description", "rules"):
            if not getattr(service, attribute):
                raise KnowledgeError(f"service {service.id}: it has no {attribute}")
        check_rules(
            service.rules, knowledge.references, limits, knowledge.analytes, knowledge.orderables
        )
        for rule in service.rules:
            if service.hook.drafts and not rule.judges and rule.review is None:
                raise KnowledgeError(
                    f"rule {rule.id}: it must say which drafts it judges, because {service.id} "
                    "is for drafts"
                )
