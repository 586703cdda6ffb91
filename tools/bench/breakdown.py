"""Where the time of one call goes: a sampling profile by part of the program.

python -m tools.bench.breakdown [RESULTS]
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from tools.bench import CHECKOUT, bodies, calls
from tools.bench.contestants import VIEW_PATH

_SAMPLE_S = 0.001


def part_of(frame: FrameType | None) -> str:
    """The part of the program that runs, in two names of its path (``cds_service/fhir``): the
    innermost frame of ours, else of a library."""
    library = ""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if "site-packages" in path.parts:
            package = path.parts[path.parts.index("site-packages") + 1]
            library = library or package.removesuffix(".py")
        elif path.is_relative_to(CHECKOUT) and not path.is_relative_to(CHECKOUT / "tools"):
            return "/".join(path.relative_to(CHECKOUT).with_suffix("").parts[:2])
        frame = frame.f_back
    return library or "the rest"


def stages(body: bytes, rounds: int = 2_000) -> dict[str, float]:
    """Microseconds of one ``patient-view`` call by part, the largest first, and the whole."""
    timed = {"": calls.call(calls.application(), VIEW_PATH, body)}
    calls.medians(timed, 1)
    samples: Counter[str] = Counter()
    before = signal.signal(signal.SIGPROF, lambda _, frame: samples.update([part_of(frame)]))
    signal.setitimer(signal.ITIMER_PROF, _SAMPLE_S, _SAMPLE_S)
    try:
        (whole,) = calls.medians(timed, rounds).values()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    parts = {
        name: whole * n / samples.total() for name, n in samples.most_common() if n > rounds / 200
    }
    return parts | {"smaller parts": whole - sum(parts.values()), "**whole call**": whole}


def main() -> None:
    """Print the parts of a call with eight cards and of one without."""
    results = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for cards in (True, False):
        print(f"{results} results, {'eight cards' if cards else 'no card'}, µs:")
        for part, microseconds in stages(bodies.patient_view(results, cards=cards)).items():
            print(f"{microseconds:8.0f}  {part}")


if __name__ == "__main__":
    main()
