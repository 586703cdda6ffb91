"""Where the time of one call goes: a sampling profile by part of the program.

python -m tools.bench.breakdown [RESULTS]
"""

from __future__ import annotations

import signal
import statistics
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from tools.bench import bodies, calls, contestants, servers

_SAMPLE_S = 0.001
WHOLE = "**whole call**"
_PARTS = 2
"""Names of a path that tell one part from another: ``cds_service/fhir``, ``flask``."""


def part_of(frame: FrameType | None) -> str:
    """The part of the program that runs: the innermost frame of ours, else of a library."""
    library = "the rest"
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(servers.CHECKOUT) and ".venv" not in path.parts:
            inside = path.relative_to(servers.CHECKOUT)
            if inside.parts[0] != "tools":
                return "/".join(inside.with_suffix("").parts[:_PARTS])
        elif library == "the rest" and "site-packages" in path.parts:
            library = path.parts[path.parts.index("site-packages") + 1].removesuffix(".py")
        frame = frame.f_back
    return library


def stages(body: bytes, rounds: int = 2_000) -> dict[str, float]:
    """Microseconds of one ``patient-view`` call by part, the largest first, and the whole."""
    one = calls.call(calls.application(), contestants.VIEW_PATH, body)
    calls.settle({"": one})
    seen: Counter[str] = Counter()

    def sample(_number: int, frame: FrameType | None) -> None:
        seen[part_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, _SAMPLE_S, _SAMPLE_S)
    try:
        whole = statistics.median(one() for _ in range(rounds)) * 1e6
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    parts = {name: whole * n / seen.total() for name, n in seen.most_common() if n > rounds / 200}
    return parts | {"smaller parts": whole - sum(parts.values()), WHOLE: whole}


def main() -> None:
    """Print the parts of a call with eight cards and of one without."""
    results = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for cards in (True, False):
        print(f"{results} results, {'eight cards' if cards else 'no card'}, µs:")
        for part, taken in stages(bodies.patient_view(results, cards=cards)).items():
            print(f"{taken:8.0f}  {part}")


if __name__ == "__main__":
    main()
