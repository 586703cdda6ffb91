"""Many workers and hosts on one database; workers that are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import feedback_workers as workers
from patients import patient
from sqlalchemy import func, select

from cds_service.answer.cards import ProposedCard
from cds_service.feedback.records import open_records
from cds_service.feedback.report import report
from cds_service.storage.database import open_database
from cds_service.storage.tables import unknown_feedback as cards
from tests.testing.programs import FORKED

PATIENCE = 60
"""Seconds after which a process that reports nothing has failed."""


@contextmanager
def _process(
    work: Callable[..., None], *arguments: Any
) -> Iterator[tuple[BaseProcess, Connection]]:
    parent_end, child_end = FORKED.Pipe()
    process = FORKED.Process(target=work, args=(*arguments, child_end))
    process.start()
    child_end.close()
    try:
        yield process, parent_end
        process.join(PATIENCE)
    finally:
        if process.is_alive():
            process.kill()
            process.join(PATIENCE)
        parent_end.close()


def _received(pipe: Connection) -> Any:
    assert pipe.poll(PATIENCE), "the process reported nothing"
    return pipe.recv()


def _together(work: Callable[..., None], url: str, count: int) -> list[Any]:
    """The output of ``count`` processes that do the same work at the same time."""
    start_line = FORKED.Barrier(count)
    ends = [FORKED.Pipe() for _ in range(count)]
    processes = [
        FORKED.Process(target=work, args=(url, start_line, child_end)) for _, child_end in ends
    ]
    for process in processes:
        process.start()
    for _, child_end in ends:
        child_end.close()
    try:
        outputs = [_received(parent_end) for parent_end, _ in ends]
        for process in processes:
            process.join(PATIENCE)
        assert [process.exitcode for process in processes] == [0] * count
    finally:
        for process in processes:
            process.kill()
            process.join(PATIENCE)
        for parent_end, _ in ends:
            parent_end.close()
    return outputs


def test_four_processes_start_on_a_new_database(database_url: str) -> None:
    outputs = _together(workers.start, database_url, 4)
    assert [ready for ready, _ in outputs] == [True] * 4
    assert len({digest for _, digest in outputs}) == 1  # one card key for all


def test_only_one_of_two_processes_uses_a_token_first(database_url: str) -> None:
    first, second = _together(workers.use_tokens, database_url, 2)
    assert len(first) + len(second) == 40
    assert set(first).isdisjoint(second)


def test_two_processes_store_the_same_feedback_once(database_url: str) -> None:
    assert sum(_together(workers.repeat_feedback, database_url, 2)) == 40
    database = open_database(database_url)
    assert report(database).total == 40
    database.close()


def test_feedback_in_one_process_is_known_in_another(database_url: str) -> None:
    with _process(workers.answer_one_card, database_url) as (process, pipe):
        assert _received(pipe) == "done"
        process.join(PATIENCE)
        assert process.exitcode == 0
    records = open_records(database_url, [workers.RULE])
    records.start()
    now = datetime(2026, 11, 23, tzinfo=UTC)
    proposed = ProposedCard(*workers.RULE, "info", workers.EVIDENCE)
    assert workers.RULE.id in records.snooze.held_back([proposed], patient(), now)
    # It ended without closing: what it had shown was written all the same.
    assert report(records.database).rules[0].shown == 1
    records.close()
    records.database.close()


def test_a_killed_worker_loses_nothing_that_it_acknowledged(database_url: str) -> None:
    with _process(workers.write_without_end, database_url) as (process, pipe):
        acknowledged = [_received(pipe) for _ in range(20)]
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(PATIENCE)
        try:
            while pipe.poll():
                acknowledged.append(pipe.recv())
        except EOFError:
            pass
    assert process.exitcode == -signal.SIGKILL
    database = open_database(database_url)
    with database.read() as connection:
        query = select(cards.c.outcome_at, func.count()).group_by(cards.c.outcome_at)
        stored = dict(connection.execute(query).all())
    for call in acknowledged:
        sent = workers.answer("card", call)["outcomeTimestamp"].replace("Z", ".000000000Z")
        assert stored[sent] == workers.ELEMENTS
    # Of a call that was not acknowledged, all or nothing is there.
    assert set(stored.values()) == {workers.ELEMENTS}
    database.close()


def test_a_fork_shares_neither_connections_nor_counts(database_url: str) -> None:
    with _process(workers.fork_and_write, database_url) as (_, pipe):
        assert _received(pipe) == 0
    database = open_database(database_url)
    counts = report(database)
    assert counts.total == 3
    assert counts.rules[0].shown == 3  # one before, one on each side
    database.close()
