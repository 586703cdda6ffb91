"""Sees that every lower bound is what is installed: ``python .ci/lowest.py PYPROJECT``.

Run by the environment that `make lowest` fills. A bound that is installed higher was never
tested and promises too much: something else that is named needs the higher version. A name
without a lower bound promises everything. Status 1 for either, else 0.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version


def main(pyproject: str) -> int:
    read = tomllib.loads(Path(pyproject).read_text("utf-8"))
    wrong = 0
    named = sorted({str(one): one for one in _named(read)}.items())
    for text, requirement in named:
        bounds = [one.version for one in requirement.specifier if one.operator == ">="]
        installed = version(requirement.name)
        if not bounds:
            print(f"{text}: has no lower bound; {installed} is installed.")
            wrong += 1
        elif Version(installed) != Version(bounds[0]):
            print(f"{text}: the lowest that fits the others is {installed}; say so.")
            wrong += 1
    print(f"lowest: {len(named) - wrong} of {len(named)} lower bounds are installed exactly.")
    return 1 if wrong else 0


def _named(read: dict) -> Iterator[Requirement]:
    texts = [
        *read["project"]["dependencies"],
        *(one for group in read["project"]["optional-dependencies"].values() for one in group),
        *read["dependency-groups"]["dev"],
    ]
    return (Requirement(text) for text in texts)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
