"""The lowest versions that pyproject.toml allows: printed, or compared with what is installed.

    python .ci/lowest.py pyproject.toml --print      constraints for pip, one a line
    python .ci/lowest.py pyproject.toml --print --apart   of what has an environment of its own
    python .ci/lowest.py pyproject.toml              by the environment that was filled with them

A name without a lower bound promises everything; a bound that is not what is installed was
never tested. Status 1 for either, else 0.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version


def main(pyproject: str, *options: str) -> int:
    read = tomllib.loads(Path(pyproject).read_text("utf-8"))
    wrong = 0
    apart = "--apart" in options
    named = sorted({str(one): one for one in _named(read) if apart == (one.name in APART)}.items())
    for text, requirement in named:
        bounds = [one.version for one in requirement.specifier if one.operator == ">="]
        if not bounds:
            print(f"{text}: has no lower bound.", file=sys.stderr)
            wrong += 1
        elif "--print" in options:
            print(f"{requirement.name}=={bounds[0]}")
        elif Version(version(requirement.name)) != Version(bounds[0]):
            print(f"{text}: {version(requirement.name)} is installed.", file=sys.stderr)
            wrong += 1
    if "--print" not in options:
        print(f"lowest: {len(named) - wrong} of {len(named)} lower bounds are installed exactly.")
    return 1 if wrong else 0


# Installed in an environment of its own, with its lowest version: it is 400 MB.
APART = ("pyspark",)


def _named(read: dict) -> Iterator[Requirement]:
    own = read["project"]["name"]
    texts = [
        *read["project"]["dependencies"],
        *(one for group in read["project"]["optional-dependencies"].values() for one in group),
        *read["dependency-groups"]["dev"],
    ]
    named = (Requirement(text) for text in texts)
    return (one for one in named if one.name != own)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
