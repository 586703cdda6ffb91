"""Other ways to write a unit: tried only where a unit is not known as written."""

from __future__ import annotations

import re

_LITRE = re.compile(r"/(?:litre|liter|ltr)s?$", re.IGNORECASE)
_INVERSE = re.compile(r"[ .*·⋅]([dm]?[Ll])\^?[-−]1$")
_SQUARE = re.compile(r"m(?:\(2\)|\^2|\*2|²|\*\*2)$")
_MOLAR = {"mM": "mmol/L", "uM": "umol/L", "µM": "umol/L", "μM": "umol/L"}
_LONGEST = 40


def usual_spelling(unit: str) -> str:
    """The unit in the usual form, without spaces: mmol/L for "mmol . L-1" and "mmol/Liter"."""
    if len(unit) > _LONGEST:
        return unit
    written = "".join(_INVERSE.sub(r"/\1", unit.strip()).split())
    written = _SQUARE.sub("m2", _LITRE.sub("/L", written))
    return _MOLAR.get(written, written)
