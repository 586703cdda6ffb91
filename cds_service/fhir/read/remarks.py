"""What a laboratory remarks on a result: that it is critical, or that its sample was spoilt.

Sources: FHIR R4 Observation (interpretation, note); clinical content, section 3 ("Reading data").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import combining, normalize

from msgspec import UNSET, Raw

from cds_service.fhir.values.elements import items, part, readable, text
from cds_service.fhir.values.peeks import Missing, Peek
from cds_service.terminology.call_texts import memory

# "HH", "LL", "AA", "HU", "CH", "PL", "C"; "H*", "*L", "A!!"; "!!", "**", "++"; off scale: ">".
_CRITICAL_FLAG = re.compile(
    r"(?:H{2,3}|L{2,3}|A{2,3}|[HL][CPU]|[CPV][HL]|C)[!*+]*|[HLA]{1,3}[!*+]+|[!*]+[HLAC]{1,3}[!*+]*"
    r"|[!*+]{2,}|[<>]"
)
_LONGEST_FLAG = 6
_MOST_REMARK = 2000  # characters of a remark that are looked at
_CRITICAL_WORDS = re.compile(
    r"(?<!non[ -])(?<!not )(?<!no )(?<!nicht )(?<!kein )(?<!nie )"
    r"\b(critical|critically|crit|crit[-_ ]?(?:high|low|hi|lo)|panic\w*|alert|alarm|kritisch\w*|"
    r"panik\w*|critique|cr[ií]tic[oa]s?|very[-_ ]?(?:high|low|abnormal)|vabnormal|extreme\w*|"
    r"life[- ]?threat\w*|lebensbedroh\w*|danger\w*|severely)\b"
)


def is_critical(peek: Peek) -> bool:
    """Whether the laboratory flagged it as critical: with a flag such as HH or LL, or in words."""
    if isinstance(peek.interpretation, Missing):
        return False
    call, key = memory(), (is_critical, bytes(peek.interpretation))
    found: bool | None = call.get(key)
    if found is None:
        found = call[key] = any(map(_says_critical, _flags(readable(peek.interpretation))))
    return found


def _flags(value: object) -> Iterator[str]:
    """All codes, displays and texts of an interpretation, however short."""
    for concept in items(value):
        if isinstance(concept, dict):
            for coding in (concept, *items(concept.get("coding"))):
                yield text(part(coding, "code"))
                yield text(part(coding, "display"))
            yield text(concept.get("text"))
        else:
            yield text(concept)


def _says_critical(flag: str) -> bool:
    short = flag.strip(" ()[]").upper()
    if len(short) <= _LONGEST_FLAG and _CRITICAL_FLAG.fullmatch(short):
        return True
    return len(short) > 3 and _CRITICAL_WORDS.search(flag[:_MOST_REMARK].lower()) is not None


_REMARKS = (
    (
        "haemolysed",
        (
            "haemoly",
            "hemoly",
            "hamoly",
            "emoli",
            " h index",
            " lyse",
            " hemol",
            " haemol",
            " hmlz",
            "cell lysis",
            "rbc lysis",
        ),
    ),
    ("lipaemic", ("lipaem", "lipem", "lipam")),
    ("clotted", ("clot", "geronnen")),
    (
        "contaminated",
        (
            "contaminat",
            "wrong tube",
            "incorrect tube",
            "wrong container",
            "drip arm",
            "wrong blood",
        ),
    ),
)
# An index of haemolysis above none: "HIL: H 3+", "HIL 3/0/0", "H:2 I:0 L:0", "Hem 3+", "H+++".
_INDEX = re.compile(
    r"\b(?:hil|lih|serum ind(?:ex|ices)|si h|h ?ind(?:ex)?)\b[ :=]{0,3}(?:h[a-z]{0,8}[ :=]{0,3})?"
    r"(?:\+{1,4}|[1-9]\d{0,3}\b(?!\.\d))"
    r"|\bh[ :=]{0,3}(?:\+{1,4}|[1-9]\d{0,3}\b\+?)[ ,;/|]{1,3}i[ :=]{0,3}[+\d]"
    r"|\bha?em?[ :=]{0,3}(?:\+{1,4}|[1-4]\+)"
)
_DENIED = frozenset(
    ("no", "not", "non", "without", "nil", "negative", "free", "absent", "none", "nicht", "kein",
     "keine", "ohne", "pas", "sans", "sin", "ikke", "inte")
)  # fmt: skip
# Words after a root that say that all is well: "haemolysis index 5, within limits".
_ALL_WELL = frozenset(
    ("normal", "0", "within", "acceptable", "excluded", "unlikely", "ruled", "insignificant",
     "satisfactory", "unremarkable", "below", "ok", "negligible", "negativ", "unauffallig")
)  # fmt: skip
_BEYOND = frozenset(("above", "exceeds", "exceeding", "outside", "over", "beyond"))
_NO_REMARK = (UNSET,) * 5


def remarks_on(peek: Peek) -> tuple[str, ...]:
    """The kinds of remark on the sample: in the note, older comments, interpretation and others."""
    stated = (peek.note, peek.interpretation, peek.dataAbsentReason, peek.comments, peek.comment)
    if stated == _NO_REMARK:
        return ()
    readings = [(raw, _words_of(raw)) for raw in stated if not isinstance(raw, Missing)]
    lower = _plain(" ".join(words for _, words in readings))
    kinds = [kind for kind, roots in _REMARKS if any(_is_stated(root, lower) for root in roots)]
    if "haemolysed" not in kinds:
        # "H" in an interpretation is a high result, never an index of haemolysis.
        free = _plain(" ".join(words for raw, words in readings if raw is not peek.interpretation))
        if _INDEX.search(free):
            kinds.insert(0, "haemolysed")
    return tuple(kinds)


def _plain(words: str) -> str:
    """Lower case without accents and hyphens, with single spaces and one in front."""
    lower = words[:_MOST_REMARK].lower().replace("-", " ").replace("æ", "ae").replace("'", " ")
    if not lower.isascii():
        lower = "".join(c for c in normalize("NFKD", lower) if not combining(c))
    return f" {' '.join(lower.split())}"


def _words_of(raw: Raw) -> str:
    value = readable(raw)
    phrases = []
    for concept in items(value):
        if isinstance(concept, dict):
            phrases.append(text(concept.get("text")))
            for coding in items(concept.get("coding")):
                phrases.append(text(part(coding, "display")))
                if len(code := text(part(coding, "code"))) > 2:  # "H" is not a word
                    phrases.append(code)
        elif isinstance(concept, str):
            phrases.append(concept)
    return ". ".join(phrase for phrase in phrases if phrase)


def _is_stated(root: str, words: str) -> bool:
    """Whether a word with this root occurs and is not negated in its sentence."""
    at = words.find(root)
    while at >= 0:
        before = _sentence_end(words[max(0, at - 40) : at])
        after = words[at : at + 60].partition(".")[0].split()[1:6]
        denied = not _DENIED.isdisjoint(before.split()[-3:]) or not _DENIED.isdisjoint(
            word.strip(":;,()") for word in after[:3]
        )
        following = {word.strip(":;,()") for word in after}
        normal = not following.isdisjoint(_ALL_WELL) and following.isdisjoint(_BEYOND)
        if not denied and not normal:
            return True
        at = words.find(root, at + len(root))
    return False


def _sentence_end(words: str) -> str:
    """The words after the last full stop."""
    return words.rpartition(".")[2].replace(":", " ").replace(",", " ")
