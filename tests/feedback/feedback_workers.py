"""The work of other processes in the tests of several workers and hosts."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Any

from patients import patient

from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.records import Records, open_records
from cds_service.storage import prompt_runner

RULE = RuleVersion("low-magnesium", "1.2.0")
EVIDENCE = ("magnesium 0.5",)
ELEMENTS = 5
"""Answers in one feedback call of the endless writer."""


def answer(card: str, second: int) -> dict[str, Any]:
    minutes, seconds = divmod(second, 60)
    hours, minutes = divmod(minutes, 60)
    at = f"2026-11-22T{hours:02}:{minutes:02}:{seconds:02}Z"
    return {"card": card, "outcome": "overridden", "outcomeTimestamp": at}


def _opened(url: str) -> Records:
    prompt_runner.PATIENCE_S = 30.0  # as for the tests' own process: a busy machine may be slow
    return open_records(url, [RULE])


def start(url: str, start_line: Barrier, pipe: Connection) -> None:
    """Open a new database at the same moment as others; report the card key by one digest."""
    records = _opened(url)
    start_line.wait(30)
    records.start()
    [digest] = records.card_ids.digests(*RULE, patient(), EVIDENCE)
    pipe.send((records.database.ready(), digest))
    records.close()


def use_tokens(url: str, start_line: Barrier, pipe: Connection) -> None:
    """Use the same 40 tokens as others; report which uses were the first."""
    records = _opened(url)
    records.start()
    start_line.wait(30)
    names = [f"j{number}" for number in range(40)]
    pipe.send([name for name in names if records.replay.first_use("a", name, 4e9)])
    records.close()


def repeat_feedback(url: str, start_line: Barrier, pipe: Connection) -> None:
    """Send the same 40 answers as others, in another order; report how many were new."""
    records = _opened(url)
    records.start()
    start_line.wait(30)
    answers = [answer("card", second) for second in range(40)]
    if os.getpid() % 2:
        answers.reverse()
    stored = 0
    for start_at in range(0, 40, 8):
        stored += records.feedback.save("s", {"feedback": answers[start_at : start_at + 8]}).stored
    pipe.send(stored)
    records.close()


def answer_one_card(url: str, pipe: Connection) -> None:
    """Show a card, override it, and end without a clean shutdown."""
    records = _opened(url)
    records.start()
    records.count_shown("s", *RULE)
    records.feedback.save("s", {"feedback": [answer(_card(records), 0)]})
    pipe.send("done")


def write_without_end(url: str, pipe: Connection) -> None:
    """Send feedback without end; report after each call that it was acknowledged."""
    records = _opened(url)
    call = 0
    while True:
        answers = [answer(f"card-{element}", call) for element in range(ELEMENTS)]
        records.feedback.save("s", {"feedback": answers})
        pipe.send(call)
        call += 1


def fork_and_write(url: str, pipe: Connection) -> None:
    """Use everything, fork, use everything again in both processes; report how the child ended."""
    records = _opened(url)
    records.start()
    records.shown_cards.add("s", *RULE)
    records.upkeep.touch()
    records.feedback.save("s", {"feedback": [answer("before", 0)]})
    child = multiprocessing.get_context("fork").Process(
        target=_write_in_fork, args=(records, id(records.database.engine))
    )
    child.start()
    records.count_shown("s", *RULE)
    records.feedback.save("s", {"feedback": [answer("parent", 0)]})
    child.join()
    records.close()
    pipe.send(child.exitcode)


def _write_in_fork(records: Records, engine_of_parent: int) -> None:
    if id(records.database.engine) == engine_of_parent:
        raise RuntimeError("parent and child speak over the same connections")
    records.count_shown("s", *RULE)
    records.feedback.save("s", {"feedback": [answer("child", 0)]})


def _card(records: Records) -> str:
    card: str = records.card_ids.new(*RULE, patient(), EVIDENCE)
    return card
