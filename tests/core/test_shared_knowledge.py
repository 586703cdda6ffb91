"""Two topics may share what means the same in both; any difference is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.core.facts import Result
from cds_service.core.knowledge import KnowledgeError
from cds_service.core.patient import Facts
from cds_service.core.series import NO_RESULTS, Newest, Worse
from cds_service.core.times import days
from cds_service.engine.agreement import contradictions
from cds_service.engine.checking import check_topics
from cds_service.engine.hook import PATIENT_VIEW
from cds_service.engine.knowledge_files import KnowledgeFolder
from cds_service.engine.rule import Answer, NotFired, Tier, orders, results, rule
from cds_service.engine.topic import Knowledge, Option, Service, Topic

FIX = "; make them equal, or use another key"
FILES = {
    "analytes.toml": """
[total_calcium]
name = "Calcium"
canonical = "mmol/L"
decimals = 2
plausible = ["0.5", "6"]
range_low = ["1.9", "2.3"]
codes = [{ code = "2000-8", display = "Calcium", source = "loinc.org" }]
names = ["calcium", "serum calcium"]
order = "Calcium, serum"
[[total_calcium.unit]]
name = "mmol/L"
spellings = ["mmol/L", "mmol/l"]
[[total_calcium.unit]]
name = "mg/dL"
spellings = ["mg/dL"]
by = "4.008"
note = "molar mass 40.08 g/mol"
""",
    "limits.toml": """
["total_calcium.low"]
value = "2.1"
unit = "mmol/L"
reference = "judgement"
checked = 2026-11-28
meaning = "below: low calcium"
""",
    "references.toml": """
[judgement]
label = "Judgement"
citation = "A judgement."
kind = "judgement"
checked = 2026-11-28
""",
    "orders.toml": """
[referral]
label = "Referral to endocrinology"
covers = ["total_calcium"]
codes = []
""",
    "codelists/observations/total_calcium.not.csv": (
        "system,code,display,verified,source\nhttp://loinc.org,1995-0,Ionized,true,loinc.org\n"
    ),
    "names/observations.csv": "concept,kind,pattern,note\ntotal_calcium,not,calcium channel,\n",
}


def topic_in(folder: Path, key: str, *changes: tuple[str, str, str], **more: Any) -> Topic:
    """A topic whose files are those above with changes: (file, old text, new text)."""
    files = dict(FILES)
    for name, old, new in changes:
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    for name, text in files.items():
        path = folder / key / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    knowledge = KnowledgeFolder(folder / key)

    @rule(
        id=f"{key}-rule",
        title="Low calcium",
        version="1.0.0",
        changed="2026-11-28",
        tier=Tier.ALWAYS,
        references=["judgement"],
        limits=["total_calcium.low"],
        needs=[results("total_calcium", days(30)), orders("total_calcium")],
        offers=["total_calcium", "referral"],
    )
    def low_calcium(_facts: Facts) -> Answer:
        """A low calcium fires."""
        return NotFired("")

    service = Service(f"{key}-patient-view", PATIENT_VIEW, "Calcium", "Calcium.", (low_calcium,))
    known = Knowledge(
        vocabularies=knowledge.vocabularies,
        analytes=knowledge.analytes,
        limits=knowledge.limits,
        references=knowledge.references,
        orderables=knowledge.orderables,
        codes=knowledge.codes,
        complaint=lambda _facts: False,
    )
    return Topic(key, (service,), replace(known, **more))


def newest_calcium(facts: Facts, worse: Worse) -> Newest:
    return facts.series.get("total_calcium", NO_RESULTS).newest(worse)


def other_calcium(_facts: Facts, _worse: Worse) -> None:
    return None


def test_topics_with_files_of_their_own_share_what_is_equal(tmp_path: Path) -> None:
    one, other = (
        topic_in(tmp_path, key, computed={"total_calcium": newest_calcium}) for key in ("a", "b")
    )
    units = [topic.knowledge.analytes["total_calcium"].units["mg/dL"] for topic in (one, other)]
    assert units[0] is not units[1]
    check_topics([one, other])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("analytes.toml", '"4.008"', '"4"'), "analyte total_calcium contradicts that of a: units"),
        (
            ("analytes.toml", 'name = "Calcium"\ncanonical', 'name = "Ca"\ncanonical'),
            "analyte total_calcium contradicts that of a: name",
        ),
        (
            ("analytes.toml", '["mmol/L", "mmol/l"]', '["mmol/L"]'),
            "analyte total_calcium contradicts that of a: units",
        ),
        (
            ("analytes.toml", 'range_low = ["1.9", "2.3"]\n', ""),
            "analyte total_calcium contradicts that of a: range_low",
        ),
        (
            ("analytes.toml", '"Calcium, serum"', '"Calcium"'),
            "order total_calcium contradicts that of a: label",
        ),
        (
            ("analytes.toml", '"2000-8"', '"17861-6"'),
            "order total_calcium contradicts that of a: codes",
        ),
        (
            ("limits.toml", '"2.1"', '"2.2"'),
            "limit total_calcium.low contradicts that of a: value",
        ),
        (
            ("references.toml", '"A judgement."', '"Another."'),
            "reference judgement contradicts that of a: citation",
        ),
        (
            ("orders.toml", "to endocrinology", ""),
            "order referral contradicts that of a: label",
        ),
        (
            ("analytes.toml", '"serum calcium"', '"plasma calcium"'),
            "analyte total_calcium: its code list and names of observations differ from those of a",
        ),
        (
            ("codelists/observations/total_calcium.not.csv", "1995-0", "17864-0"),
            "analyte total_calcium: its code list and names of observations differ from those of a",
        ),
        (
            ("names/observations.csv", "calcium channel", "calcium oxalate"),
            "analyte total_calcium: its code list and names of observations differ from those of a",
        ),
        (
            (
                "names/observations.csv",
                "_calcium,not,calcium channel",
                "_ion,implies,total_calcium",
            ),
            "analyte total_calcium: its code list and names of observations differ from those of a",
        ),
    ],
)
def test_a_difference_between_the_files_of_two_topics_is_refused(
    tmp_path: Path, change: tuple[str, str, str], message: str
) -> None:
    with pytest.raises(KnowledgeError) as refused:
        check_topics([topic_in(tmp_path, "a"), topic_in(tmp_path, "b", change)])
    assert str(refused.value) == f"topic b: {message}{FIX}"


def test_other_codes_to_search_for_an_analyte_are_a_contradiction(tmp_path: Path) -> None:
    topics = [topic_in(tmp_path, "a"), topic_in(tmp_path, "b", codes=lambda _key: ())]
    assert list(contradictions(topics)) == [
        "topic b: analyte total_calcium: the codes by which it is searched for differ from those "
        f"of a{FIX}"
    ]


def test_an_order_that_is_recognised_differently_is_a_contradiction(tmp_path: Path) -> None:
    one, other = topic_in(tmp_path, "a"), topic_in(tmp_path, "b")
    lists = replace(other.knowledge.vocabularies, orders=one.knowledge.vocabularies.conditions)
    topics = [one, replace(other, knowledge=replace(other.knowledge, vocabularies=lists))]
    assert list(contradictions(topics)) == [
        f"topic b: order {key}: the code lists and names of what it covers differ from those of "
        f"a{FIX}"
        for key in ("referral", "total_calcium")
    ]


@pytest.mark.parametrize("computed", [{}, {"total_calcium": other_calcium}])
def test_other_computed_results_of_an_analyte_are_a_contradiction(
    tmp_path: Path, computed: dict[str, Any]
) -> None:
    topics = [
        topic_in(tmp_path, "a", computed={"total_calcium": newest_calcium}),
        topic_in(tmp_path, "b", computed=computed),
    ]
    assert list(contradictions(topics)) == [
        f"topic b: analyte total_calcium: the results computed for it differ from those of a{FIX}"
    ]


def test_a_hook_that_two_topics_define_differently_is_a_contradiction(tmp_path: Path) -> None:
    one, other = topic_in(tmp_path, "a"), topic_in(tmp_path, "b")
    (service,) = other.services
    hook = replace(PATIENT_VIEW, version="2.0")
    topics = [one, replace(other, services=(replace(service, hook=hook),))]
    assert list(contradictions(topics)) == [
        f"topic b: hook patient-view contradicts that of a: version{FIX}"
    ]


def test_every_contradiction_is_listed(tmp_path: Path) -> None:
    option = Option("unit", "Unit", "The unit.", (("mmol", "mmol/L"),))
    one = replace(topic_in(tmp_path, "a"), options=(option,))
    other = topic_in(
        tmp_path,
        "b",
        ("analytes.toml", '"mg/dL"\nspellings', '"mg/L"\nspellings'),
        ("limits.toml", "below: low calcium", "below: too low"),
    )
    other = replace(other, options=(replace(option, title="The unit"),))
    third = replace(one, key="c")
    assert list(contradictions([one, other, third])) == [
        "topic c: service a-patient-view also belongs to a; rename one of the two",
        "topic c: rule a-rule also belongs to a; rename one of the two",
        f"topic b: analyte total_calcium contradicts that of a: units{FIX}",
        f"topic b: limit total_calcium.low contradicts that of a: meaning{FIX}",
        f"topic b: option unit contradicts that of a: title{FIX}",
    ]


def test_the_newest_of_an_analyte_is_computed_where_the_topic_says_so(tmp_path: Path) -> None:
    from tests.testing.given import given

    facts = given().result("magnesium", "0.9 mmol/L").result("calcium", "2.2 mmol/L").facts()
    asked: list[Worse] = []

    def nothing(_facts: Facts, worse: Worse) -> Newest:
        asked.append(worse)
        return Newest(None, None, ())

    site, record = facts.site, facts.record
    own = Facts(record, facts.series, facts.as_of, site, {"magnesium": nothing})
    assert own.newest("magnesium", Worse.LOW).result is None
    assert isinstance(own.newest("calcium", Worse.LOW).result, Result)
    assert asked == [Worse.LOW]
