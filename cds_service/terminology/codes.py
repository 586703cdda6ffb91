"""Codes of the clinical code systems, each with a type that refuses malformed codes.

A code from a code list is checked by :func:`parse_code`; a code from a patient's record is
never refused, only normalised to the spelling of the lists by :func:`normal_key`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
CPT = "http://www.ama-assn.org/go/cpt"

# Spellings found in messages of real record systems; differences in http and https, a trailing
# slash and capitals are removed before the look-up. Wherever a list uses categories of ICD-10
# they mean the same in ICD-10-CM, so both are treated as one system.
_OTHER_SPELLINGS = {
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "http://www.loinc.org": LOINC,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "http://snomed.info": SNOMED,
    "http://www.snomed.org": SNOMED,
    "urn:oid:2.16.840.1.113883.6.90": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.3": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10": ICD10CM,
    "http://www.hl7.org/fhir/sid/icd-10-cm": ICD10CM,
    "http://www.cms.gov/medicare/coding/icd10": ICD10CM,
    "http://fhir.de/codesystem/bfarm/icd-10-gm": ICD10CM,
    "http://fhir.de/codesystem/dimdi/icd-10-gm": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-gm": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-am": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-ca": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-us": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-nl": ICD10CM,
    "http://hl7.org/fhir/sid/icd-10-de": ICD10CM,
    "urn:oid:1.2.276.0.76.5.409": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "http://www.nlm.nih.gov/research/umls/rxnorm/": RXNORM,
    "http://rxnorm.info": RXNORM,
    "urn:oid:2.16.840.1.113883.6.73": ATC,
    "http://whocc.no/atc": ATC,
    "http://www.whocc.no/atcddd": ATC,
    "http://fhir.de/codesystem/bfarm/atc": ATC,
    "http://fhir.de/codesystem/dimdi/atc": ATC,
    "http://www.whocc.no/atc_ddd_index": ATC,
    "urn:oid:2.16.840.1.113883.6.12": CPT,
    "http://ama-assn.org/go/cpt": CPT,
    # Bare names, as in HL7 v2 messages and interfaces made from them.
    "loinc": LOINC,
    "ln": LOINC,
    "lnc": LOINC,
    "snomed": SNOMED,
    "snomedct": SNOMED,
    "snomed-ct": SNOMED,
    "snomed ct": SNOMED,
    "sct": SNOMED,
    "icd10": ICD10CM,
    "icd-10": ICD10CM,
    "icd10cm": ICD10CM,
    "icd-10-cm": ICD10CM,
    "i10": ICD10CM,
    "i10c": ICD10CM,
    "rxnorm": RXNORM,
    "rxn": RXNORM,
    "atc": ATC,
    "cpt": CPT,
    "cpt4": CPT,
    "c4": CPT,
}


@dataclass(frozen=True, slots=True)
class Coding:
    """One code as a record has it: system, code and display."""

    system: str
    code: str
    display: str = ""


class CodeError(ValueError):
    """A code list or name list that cannot be used: the place, the error and what to do."""

    def __init__(self, what: str, fix: str, where: str = "") -> None:
        super().__init__(f"{where}: {what} {fix}" if where else f"{what} {fix}")
        self.what = what
        self.fix = fix
        self.where = where


class Code(str):
    """A well-formed code; malformed text raises :class:`CodeError`."""

    __slots__ = ()
    system: ClassVar[str] = ""
    name: ClassVar[str] = "code"
    shape: ClassVar[re.Pattern[str]] = re.compile(r".+")
    fix: ClassVar[str] = ""

    def __new__(cls, code: str) -> Code:
        if not cls.shape.fullmatch(code) or not cls.check(code):
            raise CodeError(f"{code!r} is not a {cls.name}.", cls.fix)
        return super().__new__(cls, code)

    @classmethod
    def check(cls, code: str) -> bool:
        """Whether the check digit is right, where the code system has one."""
        return bool(code)


class Loinc(Code):
    """A LOINC code such as ``2823-3``: digits, hyphen, mod-10 check digit."""

    __slots__ = ()
    system = LOINC
    name = "LOINC code"
    shape = re.compile(r"[1-9][0-9]{0,6}-[0-9]")
    fix = "Write digits, a hyphen and the check digit, as in 2823-3."

    @classmethod
    def check(cls, code: str) -> bool:
        digits, _, check_digit = code.partition("-")
        total = 0
        for place, digit in enumerate(reversed(digits)):
            value = int(digit) * (2 if place % 2 == 0 else 1)
            total += value // 10 + value % 10
        return (10 - total % 10) % 10 == int(check_digit)


# Verhoeff's scheme: multiplication in the dihedral group D5 and powers of a permutation.
_PRODUCT = tuple(
    tuple(
        (a + b) % 5
        if a < 5 and b < 5
        else (a + b - 5) % 5 + 5
        if a < 5
        else (a - b) % 5 + 5
        if b < 5
        else (a - b) % 5
        for b in range(10)
    )
    for a in range(10)
)
_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _powers() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(_STEP[digit] for digit in rows[-1]))
    return tuple(rows)


_PERMUTATION = _powers()


class Snomed(Code):
    """A SNOMED CT identifier: 6 to 18 digits with Verhoeff's check digit."""

    __slots__ = ()
    system = SNOMED
    name = "SNOMED CT identifier"
    shape = re.compile(r"[1-9][0-9]{5,17}")
    fix = "Write the 6 to 18 digits of the concept, with its check digit."

    @classmethod
    def check(cls, code: str) -> bool:
        value = 0
        for place, digit in enumerate(reversed(code)):
            value = _PRODUCT[value][_PERMUTATION[place % 8][int(digit)]]
        return value == 0


class Icd10cm(Code):
    """An ICD-10-CM code such as ``E11.42``, or a whole category: ``E11.-``, ``I70.2-``."""

    __slots__ = ()
    system = ICD10CM
    name = "ICD-10-CM code"
    shape = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4}|\.-|-|\.[0-9A-Z]{1,3}-)?")
    fix = "Write it as E11.42, or E11.- for the whole category."


class RxNorm(Code):
    """An RxNorm concept identifier (digits)."""

    __slots__ = ()
    system = RXNORM
    name = "RxNorm identifier"
    shape = re.compile(r"[1-9][0-9]{0,7}")
    fix = "Write the digits of the RXCUI only."


class Atc(Code):
    """An ATC code: 7 characters for a substance, 1, 3, 4 or 5 for the class above it."""

    __slots__ = ()
    system = ATC
    name = "ATC code"
    shape = re.compile(r"[A-V](?:[0-9]{2}(?:[A-Z](?:[A-Z](?:[0-9]{2})?)?)?)?")
    fix = "Write 1, 3, 4, 5 or 7 characters, as in C03CA01 or C03C."


class Cpt(Code):
    """A CPT code: five characters, the first four digits."""

    __slots__ = ()
    system = CPT
    name = "CPT code"
    shape = re.compile(r"[0-9]{4}[0-9A-Z]")
    fix = "Write the five characters of the procedure."


_TYPES: dict[str, type[Code]] = {
    kind.system: kind for kind in (Loinc, Snomed, Icd10cm, RxNorm, Atc, Cpt)
}
KNOWN_SYSTEMS = frozenset(_TYPES)


def normal_system(system: str) -> str:
    """The standard spelling of a code system's URL; an unknown one is returned unchanged."""
    if system in _TYPES:
        return system
    plain = system.strip().lower().rstrip("/")
    if plain.startswith("https://"):
        plain = "http://" + plain[8:]
    # Editions of SNOMED CT have URLs below its own.
    if plain.startswith(SNOMED + "/"):
        return SNOMED
    if plain in _TYPES:
        return plain
    return _OTHER_SPELLINGS.get(plain, system)


def normal_key(system: str, code: str) -> tuple[str, str]:
    """System and code in the spelling of the code lists.

    ICD-10 codes get their dot and capitals, ATC codes capitals; nothing is refused. A code without
    a system counts as a LOINC code where its check digit is right: no other system has that shape.
    """
    known = normal_system(system)
    plain = code.strip()
    if not known and Loinc.shape.fullmatch(plain) and Loinc.check(plain):
        known = LOINC
    elif known == ICD10CM:
        # Dagger, asterisk and optional codes end in a mark. In ICD-10-GM a letter for the certainty
        # may follow: excluded (A), suspected (V) and state after (Z) are not the code itself.
        plain, _, certainty = plain.upper().partition(" ")
        if certainty in ("A", "V", "Z"):
            return known, f"{plain} {certainty}"
        plain = plain.rstrip("+*!†#")
        if len(plain) > 3 and "." not in plain and plain[3] != "-":
            plain = f"{plain[:3]}.{plain[3:]}"
    elif known == ATC:
        plain = plain.upper()
    return known, plain


def parse_code(system: str, code: str) -> Code:
    """The typed code of a code list's row.

    Raises :class:`CodeError` for a system that is not known or a code that is malformed.
    """
    kind = _TYPES.get(normal_system(system))
    if kind is None:
        raise CodeError(
            f"{system!r} is not a known code system.",
            f"Use one of {', '.join(sorted(_TYPES))}.",
        )
    return kind(code)


def category_of(code: Code) -> str | None:
    """The prefix that a row for a category stands for; None for a single code.

    ``E11.-`` gives ``E11``, ``I70.2-`` gives ``I70.2``, the ATC class ``C03C`` itself.
    """
    if code.system == ICD10CM and code.endswith("-"):
        return code.rstrip("-").rstrip(".")
    if code.system == ATC and len(code) < 7:
        return str(code)
    return None
