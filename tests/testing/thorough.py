"""How much the tests try: a part in the everyday run, everything with ``TESTS=all`` (the gate).

A property is tried on fewer examples, and where several cases show the same (another width of
the window, another database, another page of commands) only one is run: the others are marked
``thorough``, and so are the tests of the tools. What is only shown by one test is not marked.
"""

from __future__ import annotations

import os

import pytest

ALL = os.environ.get("TESTS") == "all"
thorough = pytest.mark.thorough


def examples(most: int) -> int:
    """How many examples a property is tried on."""
    return most if ALL else max(most // 20, 5)


def rest(values: list[object], everyday: int = 1) -> list[object]:
    """The values of a parameter, those after the first ones marked ``thorough``."""
    return [
        value if number < everyday else pytest.param(value, marks=thorough)
        for number, value in enumerate(values)
    ]
