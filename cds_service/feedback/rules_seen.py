"""Every rule and version that ever ran here, so that late feedback is still attributed."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.engine import Connection

from cds_service.errors import StartupError
from cds_service.feedback.card_ids import RuleVersion, rule_tag, version_tag
from cds_service.storage.database import Database
from cds_service.storage.tables import insert_into, rules_seen

UNKNOWN_VERSION = "unknown"
"""Stands for the version where the rule is known but not that version."""


class RulesSeen:
    """Resolves the tags of a card id to the rule and version that made it.

    ``rules`` are those of the running program. Raises StartupError where two of them have the
    same tag (a chance of 1 in 2^24 for each pair): their feedback would be mixed up.
    """

    def __init__(self, rules: Iterable[RuleVersion]) -> None:
        self.rules = tuple(RuleVersion(*seen) for seen in rules)
        by_tag: dict[int, str] = {}
        for rule in self.rules:
            other = by_tag.setdefault(rule_tag(rule.id), rule.id)
            if other != rule.id:
                raise StartupError(
                    f"The rules {other} and {rule.id} have the same tag in card ids.",
                    "Give one of them another id.",
                )

    def record(self, database: Database) -> None:
        """Store the running rules for later versions of the program. Raises Unavailable."""
        if not self.rules:
            return
        with database.write() as connection:
            connection.execute(
                insert_into(connection, rules_seen).on_conflict_do_nothing(),
                [
                    {
                        "rule": rule.id,
                        "version": rule.version,
                        "rule_tag": rule_tag(rule.id),
                        "version_tag": version_tag(rule.version),
                    }
                    for rule in sorted(self.rules)
                ],
            )

    def resolve(
        self, connection: Connection, tags: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], RuleVersion]:
        """The rule and version for each (rule tag, version tag) of a known rule."""
        pairs = set(tags)
        if not pairs:
            return {}
        exact = {(rule_tag(rule.id), version_tag(rule.version)): rule for rule in self.rules}
        by_rule = {rule_tag(rule.id): rule.id for rule in self.rules}
        if not pairs <= exact.keys():
            # The table has few rows: reading all of it is faster than a query by tags, and its
            # tag columns have an earlier layout of card ids.
            for rule, version in connection.execute(
                select(rules_seen.c.rule, rules_seen.c.version)
            ):
                exact.setdefault((rule_tag(rule), version_tag(version)), RuleVersion(rule, version))
                by_rule.setdefault(rule_tag(rule), rule)
        resolved: dict[tuple[int, int], RuleVersion] = {}
        for pair in pairs:
            if pair in exact:
                resolved[pair] = exact[pair]
            elif pair[0] in by_rule:
                resolved[pair] = RuleVersion(by_rule[pair[0]], UNKNOWN_VERSION)
        return resolved
