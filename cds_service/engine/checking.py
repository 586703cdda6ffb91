"""What a start refuses: a topic with a flaw, and topics that contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.core.knowledge import KnowledgeError
from cds_service.engine.agreement import contradictions
from cds_service.engine.flaws import flaws
from cds_service.engine.topic import Topic
from cds_service.terminology.codes import CodeError


def check_topics(topics: Sequence[Topic]) -> None:
    """Raise KnowledgeError naming the topic and the rule or key that is wrong."""
    for topic in topics:
        try:
            first = next(flaws(topic), None)
        except (KnowledgeError, CodeError) as error:
            raise KnowledgeError(f"topic {topic.key}: {error}") from None
        if first is not None:
            raise KnowledgeError(f"topic {topic.key}: {first}")
    for contradiction in contradictions(topics):
        raise KnowledgeError(contradiction)
