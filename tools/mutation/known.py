"""What became of mutants in earlier runs, by the digest of the mutated module."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from tools.mutation.trying import Fate


class Known:
    """Fates on disk, one a line. A survivor is never taken over: a new test may kill it."""

    def __init__(self, path: Path, resume: bool) -> None:
        self._path = path
        self._fates: dict[str, Fate] = {}
        self.taken_over = 0
        if not resume:
            path.unlink(missing_ok=True)
        elif path.exists():
            lines = (line.split(" ", 1) for line in path.read_text(encoding="utf-8").splitlines())
            self._fates = {key: Fate(fate) for key, fate in lines}

    def get(self, code: str) -> Fate | None:
        """What is known of this mutant."""
        fate = self._fates.get(_key(code))
        if fate is None or fate is Fate.SURVIVED:
            return None
        self.taken_over += 1
        return fate

    def put(self, code: str, fate: Fate) -> Fate:
        """Keep it, and give it back."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{_key(code)} {fate}\n")
        return fate


def _key(code: str) -> str:
    return sha256(code.encode()).hexdigest()
