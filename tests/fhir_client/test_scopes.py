"""What SMART scopes allow, in both spellings."""

from __future__ import annotations

import pytest

from cds_service.sources.fetch.scopes import scope_covers

CASES = [
    # sentence, scope, search Observations?, read a Patient by id?
    ("v1 read of one type covers searching it", "patient/Observation.read", True, False),
    ("v1 read of one type covers reading it by id", "patient/Patient.read", False, True),
    ("v1 read of every type covers all", "patient/*.read", True, True),
    ("v1 everything covers all", "user/*.*", True, True),
    ("v1 everything of one type covers that type", "user/Observation.*", True, False),
    ("system scopes count", "system/*.read", True, True),
    ("v1 write does not cover reading", "patient/*.write", False, False),
    ("v2 rs covers searching and reading", "patient/*.rs", True, True),
    ("v2 cruds covers searching and reading", "user/*.cruds", True, True),
    ("v2 r covers reading by id and not searching", "patient/*.r", False, True),
    ("v2 s covers searching and not reading by id", "patient/*.s", True, False),
    ("v2 cud covers neither", "patient/*.cud", False, False),
    (
        "v2 narrowed by a query covers the type",
        "patient/Observation.rs?category=laboratory",
        True,
        False,
    ),
    (
        "each type may come from another scope",
        "launch openid patient/Observation.rs user/Patient.read",
        True,
        True,
    ),
    ("another type does not cover", "patient/Condition.rs", False, False),
    ("a longer name of a type is another type", "patient/ObservationDefinition.rs", False, False),
    ("scopes that name no resource cover nothing", "launch openid fhirUser", False, False),
    ("no scope at all covers nothing", "", False, False),
    ("identity and offline access cover nothing", "launch/patient offline_access", False, False),
    # Not a known spelling: the server decides.
    ("v2 letters out of order are not judged here", "patient/*.sr", True, True),
    ("nor a scope without a permission", "patient/*", True, True),
    ("nor a permission without letters", "patient/*.", True, True),
    ("nor an unknown kind of scope", "group/*.read", True, True),
    ("nor another case", "PATIENT/*.READ", True, True),
    ("nor the URL of a permission", "https://ehr.example/auth/all-clinical", True, True),
    ("nor a word beside a SMART scope of another type", "patient/Condition.rs labs", True, True),
    # As Epic writes them.
    ("a search in words covers searching", "Observation.Search (Labs) (R4)", True, False),
    ("a read in words covers reading by id", "Patient.Read (R4)", False, True),
    (
        "several in words each cover their own type",
        "Condition.Search (Problems) (R4) Patient.Read (R4) Observation.Search (Vital Signs) (R4)",
        True,
        True,
    ),
    ("words for another type do not cover", "Condition.Search (Problems) (R4)", False, False),
    ("a type with a longer name is another type", "MyObservation.Search (R4)", False, False),
    ("words beside SMART scopes", "launch Observation.Search (R4) patient/Patient.rs", True, True),
]


@pytest.mark.parametrize(
    ("scope", "search", "read"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_scope(scope: str, search: bool, read: bool) -> None:
    assert scope_covers(scope, "Observation", search=True) is search
    assert scope_covers(scope, "Patient", search=False) is read
