"""Magnesium and potassium: the newest level, how far it can be trusted, and how a card says so.

Rules act on a level for 30 days. From 31 days to 12 months the same rule fires as info, gives
the date and offers only the repeat. Within 90 days the level counts as checked. A preliminary
value may cause a card, but never prevents one.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from cds_service.core.analytes import Analyte
from cds_service.core.facts import Problem, Result
from cds_service.core.knowledge import Limit
from cds_service.core.patient import Facts
from cds_service.core.series import Worse
from cds_service.core.text import quoted
from cds_service.engine.rule import Evidence
from hooks.knowledge.files import analytes
from hooks.windows import CHECKED, RECENT, YEAR
from hooks.wording import day, headline


class Level(Struct, frozen=True):
    """The level that a rule judges, already compared with one limit.

    ``result`` is the one that decides (None: no usable one in 12 months); ``beyond`` says whether
    it is below (or above) the limit, and is None if a comparator leaves that open; ``limit`` is
    used if the laboratory gave no range of its own. ``preliminary``: the result is not final yet;
    ``repeat_only``: it is too old, or not final, and all that a card may offer is the repeat.
    """

    analyte: Analyte
    result: Result | None
    beyond: bool | None
    limit: Limit
    own_range: bool
    stale: bool
    checked: bool
    unusable: tuple[Problem, ...]
    preliminary: bool
    repeat_only: bool

    @property
    def preliminary_result(self) -> Result | None:
        """The deciding result if it is beyond the limit, recent and not final yet.

        It lowers the severity of no card, but an order of the replacement that the patient may
        need is then not offered for removal.
        """
        return self.result if self.beyond is True and self.preliminary and not self.stale else None

    def evidence(self) -> Evidence:
        """The result and the limit, with remarks."""
        assert self.result is not None  # callers ask only where there is a result
        remarks = []
        if self.preliminary:
            remarks.append("preliminary")
        if self.stale:
            remarks.append("older than 30 days")
        remarks.extend(self.result.remarks)
        return Evidence(self.result, self.limit, self.own_range, ", ".join(remarks))


def repeat_first(statement: str, result: Result) -> str:
    """The summary of a result that is not recent: "Potassium was low, 3.1 mmol/L from …"."""
    remark = " (sample contaminated)," * contaminated(result)
    return headline(f"{statement}, {result.reported}{remark} from {day(result)}: repeat first")


def contaminated(result: Result | None) -> bool:
    """Whether the sample was contaminated or in the wrong tube, which could explain any value."""
    return result is not None and "contaminated" in result.remarks


def sample_words(result: Result, *, lower_still: bool = False) -> tuple[str, ...]:
    """What a card says about a remark on the sample.

    ``lower_still``: for a low value, because haemolysis raises it and so hides a deficit.
    """
    lines = []
    if "haemolysed" in result.remarks:
        lines.append(
            "The sample was reported haemolysed: the true value is lower still."
            if lower_still
            else "The sample was reported haemolysed: that raises the value."
        )
    if "contaminated" in result.remarks:
        lines.append(
            "The sample was reported contaminated or in the wrong tube: repeat the test first."
        )
    for remark in ("lipaemic", "clotted"):
        if remark in result.remarks:
            lines.append(f"The sample was reported {remark}.")
    return tuple(lines)


def low(facts: Facts, analyte: str) -> Level:
    """The level against its lower limit: the laboratory's own, else ``<analyte>.low``."""
    return _derived_once(facts, _low, analyte)


def _low(facts: Facts, analyte: str) -> Level:
    limit = facts.limits[f"{analyte}.low"]
    return _level(
        facts,
        analyte,
        Worse.LOW,
        limit,
        lambda result: result.below_range(limit.value),
        lambda result: result.range_low is not None,
    )


def high(facts: Facts, analyte: str) -> Level:
    """The level against its upper limit: the laboratory's own, else ``<analyte>.high``."""
    return _derived_once(facts, _high, analyte)


def _high(facts: Facts, analyte: str) -> Level:
    limit = facts.limits[f"{analyte}.high"]
    return _level(
        facts,
        analyte,
        Worse.HIGH,
        limit,
        lambda result: result.above_range(limit.value),
        lambda result: result.range_high is not None,
    )


def at_least(facts: Facts, analyte: str, key: str) -> Level:
    """The level against a fixed upper limit that counts when it is reached."""
    limit = facts.limits[key]
    return _level(facts, analyte, Worse.HIGH, limit, lambda result: result.at_least(limit.value))


def _derived_once(facts: Facts, derive: Callable[[Facts, str], Level], analyte: str) -> Level:
    """A level that several rules judge, derived once per call."""
    level: Level | None = facts.memory.get((derive, analyte))
    if level is None:
        level = facts.memory[derive, analyte] = derive(facts, analyte)
    return level


def _level(
    facts: Facts,
    analyte: str,
    worse: Worse,
    limit: Limit,
    beyond: Callable[[Result], bool | None],
    own_range: Callable[[Result], bool] = lambda _: False,
) -> Level:
    newest = facts.newest(analyte, worse)
    tentative = newest.tentative
    final = newest.result if facts.within(newest.result, YEAR) else None
    result = final
    # A preliminary result that was never finalised is to be repeated, like any stale one.
    if tentative is not None and facts.within(tentative, YEAR) and beyond(tentative) is True:
        both_out = final is not None and beyond(final) is True
        same_age = facts.within(tentative, RECENT) == facts.within(final, RECENT)
        # If both are out of range, a milder preliminary result must not hide the final one.
        if final is None or not (both_out and same_age) or _more_extreme(tentative, final, worse):
            result = tentative
    stale = result is not None and not facts.within(result, RECENT)
    preliminary = result is not None and result.preliminary
    return Level(
        analyte=analytes()[analyte],
        result=result,
        beyond=None if result is None else beyond(result),
        limit=limit,
        own_range=result is not None and own_range(result),
        stale=stale,
        checked=final is not None and facts.within(final, CHECKED),
        unusable=newest.unusable_except(result),
        preliminary=preliminary,
        repeat_only=stale or preliminary,
    )


def _more_extreme(result: Result, other: Result, worse: Worse) -> bool:
    value, other_value = result.canonical_middle(), other.canonical_middle()
    return value < other_value if worse is Worse.LOW else value > other_value


def out_of_range(facts: Facts, analyte: str) -> Level | None:
    """The level that is below its lower or above its upper limit; None if neither is known."""
    for level in (low(facts, analyte), high(facts, analyte)):
        if level.beyond is True:
            return level
    return None


def normal(facts: Facts, analyte: str) -> bool | None:
    """Whether the level of the last 90 days is neither low nor above range.

    None if there is none, if a newer one could not be used, or if a comparator leaves it
    open. A preliminary result that is out of range makes the level not normal.
    """
    level = out_of_range(facts, analyte)
    if level is not None:
        return False if facts.within(level.result, CHECKED) else None
    low_level, high_level = low(facts, analyte), high(facts, analyte)
    if low_level.unusable or not low_level.checked:
        return None
    if low_level.beyond is None or high_level.beyond is None:
        return None
    return True


def newer_unusable(problems: tuple[Problem, ...], name: str) -> tuple[str, ...]:
    """Lines of a card about newer results that could not be used."""
    if not problems:
        return ()
    return tuple(
        f"a newer {name} result could not be used: {quoted(problem.reason)}" for problem in problems
    )


def undecided(level: Level) -> tuple[str, ...]:
    """Why a level says nothing about its limit: none in 12 months, unusable, or left open."""
    name = level.analyte.name.lower()
    if level.result is not None:
        return (f"{name} {level.result.reported} does not say whether it is beyond the limit",)
    return newer_unusable(level.unusable, name) or (f"no {name} result in the last 12 months",)
