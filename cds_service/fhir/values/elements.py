"""FHIR data types from plain JSON, whatever its actual shape.

Records are not always valid: there may be an object in place of a list, or a string in place of a
CodeableConcept. The functions here take any JSON value, return what can be read of it, and do not
raise, unless they say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from cds_service.terminology.codes import Coding

UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""The exceptions of decoding bytes that are not JSON of the right shape."""

MODIFIED = "an extension that is not understood changes what it means (modifierExtension)"

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_PLAIN = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
# Codes that mean that there is no code: HL7's null flavours, FHIR's data-absent-reason.
_NO_CODE = ("/v3-NullFlavor", "/NullFlavor", "/data-absent-reason", "2.16.840.1.113883.5.1008")
# What forms and interfaces write where there is no name, or where it is given elsewhere.
_NO_WORDS = frozenset(
    {
        "unknown", "unk", "unspecified", "n/a", "null", "nil", "undefined", "nan", "missing", "tbd",
        "not available", "not specified", "not provided", "not recorded", "not coded", "uncoded",
        "no information", "no text", "text", "free text", "freetext", "free text order", "other",
        "misc", "miscellaneous", "xxx", "test", "various", "see note", "see notes", "see comment",
        "see comments", "see instructions", "see admin instructions", "see below", "see text",
        "medication", "medicine", "drug", "prescription", "medication order", "drug order",
        "nonformulary", "non formulary", "non-formulary", "non formulary medication",
        "non-formulary medication", "nonformulary medication", "non-formulary drug",
        "own medication",
        "patient own medication", "patient's own medication", "patient supplied medication",
        "home medication", "study drug", "study medication", "investigational drug",
        "investigational medication", "other medication", "misc medication",
        "miscellaneous medication", "unlisted medication", "medication not listed", "condition",
        "problem", "diagnosis", "other condition", "other problem", "other diagnosis",
        "unknown medication", "unknown drug", "unknown condition", "unknown problem",
        "unknown diagnosis", "unknown allergy", "free text entry", "see list", "see scanned list",
        "scanned list", "see scanned document", "see scan", "see attached", "see attachment",
        "see letter", "see letters", "see chart", "see record", "see records", "see old records",
        "see mar", "see paper chart", "see old notes", "see gp letter", "see gp record",
        "see discharge letter", "see discharge summary", "see history", "as per list",
        "as per chart", "as per gp", "not on list", "nil known", "not known", "none known",
        "custom", "custom order", "tba", "tbc", "to be confirmed", "to be coded", "to be advised",
        "pending coding", "free-text", "painkiller", "painkillers", "otc", "herbal remedy",
        "unspecified disorder", "nicht bekannt", "keine angabe", "keine angaben", "k.a", "n.n",
        "unklar", "unbekannt", "siehe liste", "siehe brief", "siehe arztbrief", "inconnu",
        "desconocido", "sconosciuto", "onbekend", "ukendt", "okänd", "blutdrucktablette",
        "rx", "placeholder", "no name", "name unknown", "herbal", "herbs", "supplement", "generic",
        "supplements", "compound", "compounded", "custom compound", "extemporaneous", "see med rec",
        "med rec", "unlisted", "not listed", "not in formulary", "do not use", "unsure", "drug x",
        "patient unsure", "patient unsure of name", "unable to obtain", "unable to code",
        "no code found", "code not found", "description not available", "name not available",
        "blutdruckmittel", "wassertablette", "wassertabletten", "herzmedikament",
    }
)  # fmt: skip
# A name says nothing where it has a word of the first set and all its words are in the second.
_GENERIC_WORDS = frozenset(
    (
        "medication", "medications", "medicine", "medicines", "meds", "med", "drug", "drugs",
        "tablet", "tablets", "pill", "pills", "capsule", "capsules", "unspecified", "unknown",
        "nos", "placebo", "medikament", "medikamente", "medikation", "arzneimittel", "tablette",
        "tabletten", "agent", "agents", "compound", "supplement", "supplements", "condition",
        "conditions", "problem", "problems", "diagnosis", "diagnose",
        "product",
    )
)  # fmt: skip
_EMPTY_WORDS = _GENERIC_WORDS | frozenset(
    (
        "the", "a", "of", "or", "and", "as", "per", "for", "see", "list", "text", "free",
        "freetext", "patient", "patients", "s", "own", "home", "other", "misc", "various",
        "several", "study",
        "trial", "clinical", "blinded", "investigational", "custom", "blood", "pressure", "bp",
        "water", "fluid", "heart", "kidney", "sleeping", "pain", "otc",
        "rec", "reconciliation", "unlisted", "formulary", "not", "in", "listed", "compounded",
        "generic", "test", "pta", "prior", "admission", "unsure", "name", "brought",
        "herbal", "scanned",
        "unbekannte", "unbekanntes", "unbekannter", "unbekannt",
    )
)  # fmt: skip
_LETTERS = re.compile(r"[^\W\d_]+")
_NUMBERED = re.compile(r"\b[a-z]{0,6}[-_]?\d+[-_]?[a-z]?\b")
_DRUG = frozenset({"drug", "medication", "medicine", "med", "product", "agent", "compound"})
_LONGEST_NO_WORDS = max(map(len, _NO_WORDS)) + 4
_LONGEST = 2000  # characters of a name
MOST_DECIMALS = 30
"""Most digits of a number before and after the decimal point; clinical values have fewer."""


def exact(written: str) -> Decimal | None:
    """A number with all decimals that were written; None for absurd sizes."""
    if _PLAIN.fullmatch(written):
        return Decimal(written)
    if not _NUMBER.fullmatch(written):
        return None
    value = Decimal(written)
    exponent = value.as_tuple().exponent
    if (
        not isinstance(exponent, int)
        or exponent < -MOST_DECIMALS
        or value.adjusted() > MOST_DECIMALS
    ):
        return None
    return value


_BOUND = 10**MOST_DECIMALS
_plain = msgspec.json.Decoder(float_hook=exact)


def decoded(raw: bytes | msgspec.Raw) -> object:
    """The JSON value, with fractional numbers as exact Decimals (None for absurd sizes).

    Raises one of `UNREADABLE`.
    """
    return _plain.decode(raw)


def readable(raw: bytes | msgspec.Raw | msgspec.UnsetType) -> object:
    """The JSON value; None where it is missing or cannot be read."""
    if isinstance(raw, msgspec.UnsetType):
        return None
    try:
        return decoded(raw)
    except UNREADABLE:
        return None


_written = msgspec.json.Encoder(decimal_format="number")


def encoded(value: object) -> bytes:
    """The value as JSON, with the decimals that were written."""
    return _written.encode(value)


def items(value: object) -> list[object]:
    """The elements of a list; a single value in place of a list counts as one element."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text(value: object) -> str:
    """A string without surrounding space; "" for anything else."""
    return value.strip() if isinstance(value, str) else ""


def naming(value: object) -> str:
    """A string that names something; "" for "unknown", numbers, dashes and other values."""
    stated = text(value)
    if len(stated) <= _LONGEST_NO_WORDS:
        words = stated.lower().strip(" .-*[]()<>?")
        if words in _NO_WORDS or not any(map(str.isalpha, stated)) or _says_nothing(words):
            return ""
    return stated


def _says_nothing(words: str) -> bool:
    """Whether all its words name nothing: "Medication, unspecified", "water tablet".

    A name with a number, such as "Problem 12", was given on purpose; a drug named only by a number
    ("Study drug ABC123") may be any drug.
    """
    first = _LETTERS.match(words)
    if first is None or first.group() not in _EMPTY_WORDS:
        return False  # almost always
    if any(map(str.isdigit, words)):
        words = _NUMBERED.sub(" ", words)
        if _DRUG.isdisjoint(_LETTERS.findall(words)):
            return False
    found = _LETTERS.findall(words)
    return _EMPTY_WORDS.issuperset(found) and not _GENERIC_WORDS.isdisjoint(found)


def is_true(value: object) -> bool:
    """Whether a flag is set; some systems write it as text."""
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


def _repeats(words: str, code: str) -> bool:
    """Whether words only repeat a code: mostly digits ("E87.6"), not a name ("HbA1c")."""
    # Words are mostly far longer than the code; case folding at most triples the length.
    if len(words) > 3 * len(code) or words.casefold() != code.casefold():
        return False
    digits, letters = sum(map(str.isdigit, words)), sum(map(str.isalpha, words))
    return digits > letters


def part(value: object, *path: str) -> object:
    """The value under the keys of ``path``, or None."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def identifier_of(resource: object) -> str:
    """The logical id of a resource; "" where it has no valid one."""
    value = text(part(resource, "id"))
    return value if _ID.fullmatch(value) else ""


def number(value: object) -> Decimal | None:
    """A JSON number as an exact decimal; None for strings, booleans and absurd sizes."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int):
        return Decimal(value) if -_BOUND < value < _BOUND else None
    return exact(repr(value)) if isinstance(value, float) else None


def codings(value: object) -> tuple[Coding, ...]:
    """All codings with content in one or several CodeableConcepts (or bare Codings)."""
    found: list[Coding] = []
    for concept in value if isinstance(value, list) else (value,):
        if not isinstance(concept, dict):
            continue
        stated = concept.get("coding", concept if "code" in concept else None)
        for coding in stated if isinstance(stated, list) else (stated,):
            if isinstance(coding, dict):
                code, display = text(coding.get("code")), naming(coding.get("display"))
                if display and _repeats(display, code):
                    display = ""
                system = text(coding.get("system"))
                if (code or display) and not system.endswith(_NO_CODE):
                    found.append(Coding(system, code, display[:_LONGEST]))
    return tuple(found)


def texts(value: object) -> tuple[str, ...]:
    """The texts of one or several CodeableConcepts, without the displays of their codings."""
    found: list[str] = []
    for concept in value if isinstance(value, list) else (value,):
        if isinstance(concept, dict):
            stated = naming(concept.get("text"))
            for coding in items(concept.get("coding")) if stated else ():
                if _repeats(stated, text(part(coding, "code"))):
                    stated = ""
                    break
        else:
            stated = naming(concept)
        if stated:
            found.append(stated[:_LONGEST])
    return tuple(found)


def name_of(codes: tuple[Coding, ...], words: tuple[str, ...]) -> str:
    """What a person would call it: the text, else the first display, else the first code."""
    if words:
        return words[0]
    for coding in codes:
        if coding.display:
            return coding.display
    return f"code {codes[0].code}" if codes else ""


def label(value: object) -> str:
    """What a person would call a CodeableConcept."""
    return name_of(codings(value), texts(value))


def phrases_of(codes: tuple[Coding, ...], words: tuple[str, ...]) -> tuple[str, ...]:
    """Texts and displays, each once."""
    return tuple(dict.fromkeys([*words, *(coding.display for coding in codes if coding.display)]))


def all_words(value: object) -> tuple[str, ...]:
    """Texts and displays of a CodeableConcept, each once."""
    return phrases_of(codings(value), texts(value))


def status_words(value: object) -> tuple[str, ...]:
    """A status in lower case, given as a code, a CodeableConcept or text."""
    if value is None:
        return ()
    if isinstance(value, str):
        plain = value.strip().lower()
        return (plain,) if plain else ()
    codes, words = codings(value), texts(value)
    found = [coding.code.lower() for coding in codes if coding.code]
    found += [word.lower() for word in phrases_of(codes, words)]
    return tuple(found)


def reference(value: object) -> str:
    """The literal reference of a Reference, or a reference written as a bare string."""
    return text(value) if isinstance(value, str) else text(part(value, "reference"))


def choice(names: Iterable[str], stem: str) -> Iterator[str]:
    """The names that are variants of a choice element: onsetDateTime and others for ``onset``."""
    size = len(stem)
    return (name for name in names if name.startswith(stem) and name[size : size + 1].isupper())


def modified(raw: msgspec.Raw | msgspec.UnsetType | None) -> bool:
    """Whether an undecoded ``modifierExtension`` has any content.

    It may change the meaning of its element, even into the opposite, and FHIR forbids using an
    element with a modifier extension that is not understood: none are understood here.
    """
    nothing = (b"null", b"[]")
    return isinstance(raw, msgspec.Raw) and bytes(raw).translate(None, b" \t\r\n") not in nothing
