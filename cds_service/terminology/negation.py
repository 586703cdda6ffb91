"""Which names in a text are negated by words around them, such as "no" or "ruled out"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cds_service.terminology.wording import Match, Words

_REACH = 8
_REACH_BACK = 3
_NEAR = 40  # words; longer marks are checked one by one
ALL_CONCEPTS = "*"


class NegationMarks:
    """The marks of one text ("no", "ruled out") by position.

    Only the words around a name are checked, so that the cost per word does not grow with the text.
    """

    def __init__(self, marks: Mapping[str, list[tuple[str, Match]]], text: Words) -> None:
        self._text = text
        self._around = [mark for mark in marks["not"] if mark[1].end - mark[1].start > _NEAR]
        self._over = _by_place((mark, mark[1].start) for mark in marks["not"])
        self._before = _by_place((mark, mark[1].end) for mark in marks["before"])
        self._after = _by_place((mark, mark[1].start) for mark in marks["after"])
        self._until = {found.start for _, found in marks["until"]}
        # The last "or" or "nor" of each sentence.
        self._last_or = {
            text.sentence[at]: at for at, word in enumerate(text.words) if word in ("or", "nor")
        }

    def negate(self, concept: str, name: Match) -> bool:
        """Whether one of the marks negates the name."""
        both = (concept, ALL_CONCEPTS)
        over = [mark for at in range(name.start - _NEAR, name.start + 1)
                for mark in self._over.get(at, ())]  # fmt: skip
        if any(
            owner in both and mark.start <= name.start and name.end <= mark.end
            for owner, mark in (*over, *self._around)
        ):
            return True
        if any(
            owner in both and self._reaches(mark, name)
            for at in range(name.start - _REACH, name.start + 1)
            for owner, mark in self._before.get(at, ())
        ):
            return True
        return any(
            owner in both and _refers_back(mark, name, self._text)
            for at in range(name.end, name.end + _REACH_BACK + 1)
            for owner, mark in self._after.get(at, ())
        )

    def _reaches(self, mark: Match, name: Match) -> bool:
        """Whether a word such as "no" refers to a name that follows it."""
        text = self._text
        sentence = text.sentence[name.start]
        if text.sentence[mark.start] != sentence:
            return False
        if any(at in self._until for at in range(mark.end, name.start)):
            return False
        if text.clause[mark.start] == text.clause[name.start]:
            return True
        # "Denies cramps, tingling or weakness" is one list; "cirrhosis without ascites, anaemia"
        # is not.
        return self._last_or.get(sentence, -1) >= name.start


def _by_place(
    found: Iterable[tuple[tuple[str, Match], int]],
) -> dict[int, list[tuple[str, Match]]]:
    places: dict[int, list[tuple[str, Match]]] = {}
    for mark, at in found:
        places.setdefault(at, []).append(mark)
    return places


def _refers_back(mark: Match, name: Match, text: Words) -> bool:
    """Whether "ruled out" refers to the name before it: same clause, or opening the next."""
    mark_clause, name_clause = text.clause[mark.start], text.clause[name.end - 1]
    opens = text.clause[mark.start - 1] != mark_clause
    return mark_clause == name_clause or (
        opens
        and mark_clause == name_clause + 1
        and text.sentence[mark.start] == text.sentence[name.end - 1]
    )
