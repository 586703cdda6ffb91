"""Confidential records print the fields that they name, and no others."""

from typing import cast

import pytest
from msgspec.structs import replace
from rich.pretty import pretty_repr

from cds_service.answer.answering import AnsweredCall
from cds_service.answer.evaluation import EvaluatedCall
from cds_service.calls.envelope import Authorization, Envelope
from cds_service.core.call import Call
from cds_service.core.confidential import Confidential
from cds_service.core.facts import Problem, Result, Source
from cds_service.fhir.intake.delivery import Delivery

CONFIDENTIAL = (Authorization, Envelope, Call, Problem, Delivery, EvaluatedCall, AnsweredCall)


class Sample(Confidential, frozen=True):
    printed = ("number",)

    number: int
    name: str


@pytest.mark.parametrize("record", [Sample, *CONFIDENTIAL])
def test_only_the_named_fields_are_printed(record: type[Confidential]) -> None:
    fields = record.__struct_fields__
    assert set(record.printed) < set(fields)
    one = record(*(f"<{field}>" for field in fields))
    for printed in (repr(one), pretty_repr(one)):
        assert [field for field in fields if f"<{field}>" in printed] == [
            field for field in fields if field in record.printed
        ]


def test_a_subclass_that_names_no_field_prints_none() -> None:
    class Bare(Confidential, frozen=True):
        name: str

    assert repr(Bare("Jane Roe")) == "Bare()"


def test_the_value_of_a_problem_takes_no_part_in_comparison() -> None:
    one = Problem("undated", "potassium", "it has no date", Source("Observation/1"))
    valued = replace(one, value=cast(Result, "a result"))
    assert one == valued and hash(one) == hash(valued)
    assert one != replace(valued, critical=True)
