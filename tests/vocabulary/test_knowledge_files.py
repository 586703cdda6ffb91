"""Knowledge files that are wrong are refused with file, entry and correction; a new analyte is
one block of one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.core.knowledge import KnowledgeError
from cds_service.engine.knowledge_files import KnowledgeFolder
from cds_service.terminology.codes import LOINC, CodeError, Coding

ZINC = """
[zinc]
name = "Zinc"
canonical = "umol/L"
decimals = 1
plausible = ["0.5", "200"]
codes = [{ code = "5763-8", display = "Zinc in Serum", source = "general knowledge" }]
names = ["zinc", "Serum zinc"]
order = "Zinc, serum"
[[zinc.unit]]
name = "umol/L"
spellings = ["umol/L", "µmol/L"]
[[zinc.unit]]
name = "ug/dL"
spellings = ["ug/dL"]
by = "6.538"
"""
UNITS = ZINC[ZINC.index("[[zinc.unit]]") :]


def folder(path: Path, **files: str) -> KnowledgeFolder:
    for name, text in files.items():
        (path / f"{name}.toml").write_text(text, encoding="utf-8")
    return KnowledgeFolder(path)


def test_one_block_is_an_analyte_with_its_codes_names_and_order(tmp_path: Path) -> None:
    known = folder(tmp_path, analytes=ZINC)
    observations = known.vocabularies.observations
    assert set(known.analytes["zinc"].units) == {"umol/L", "µmol/L", "μmol/L", "ug/dL"}
    coding = Coding(LOINC, "5763-8", "Zinc in Serum")
    assert list(known.codes("zinc")) == [coding]
    assert observations.concepts([coding], ()) == {"zinc"}
    assert observations.concepts((), ["Serum zinc"]) == {"zinc"}
    assert observations.concepts((), ["zinc oxide cream"]) == frozenset()
    assert known.vocabularies.orders.concepts((), ["zinc"]) == {"zinc"}
    order = known.orderables["zinc"]
    assert (order.label, order.codes, order.covers) == ("Zinc, serum", (coding,), {"zinc"})


def test_missing_files_contain_nothing(tmp_path: Path) -> None:
    known = KnowledgeFolder(tmp_path)
    assert (dict(known.analytes), dict(known.references), dict(known.orderables)) == ({}, {}, {})
    assert dict(known.limits()) == {}
    assert known.vocabularies.conditions.all_concepts == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "Zinc"', "", "zinc: add name"),
        ('spellings = ["ug/dL"]', 'spellings = ["umol/L"]', "zinc: umol/L is listed twice"),
        ('canonical = "umol/L"', 'canonical = "mg/L"', "none of its units is mg/L"),
        ("plausible =", "plausibles =", "zinc: add plausible"),
        ('order = "Zinc', 'ordre = "Zinc', "zinc: ordre is not a field here"),
        ('["0.5", "200"]', '["200", "0.5"]', "plausible: 200 must be below 0.5"),
        ('["0.5", "200"]', '["few", "200"]', "few is not a number"),
        ('["0.5", "200"]', '"0.5"', "write plausible like"),
        ("[zinc]", "copper = 1\n[zinc]", "copper is not a table"),
        ('display = "Zinc in Serum",', "", "zinc: codes: add display"),
        ('[{ code = "5763-8"', '["5763-8", { code = "5763-8"', "zinc: codes: write"),
        (
            "= [{ code",
            '= [{ code = "5763-8", display = "Z", source = "x" }, { code',
            "listed twice",
        ),
        ('names = ["zinc"', 'names = [1, "zinc"', "zinc: write names like"),
        ('spellings = ["ug/dL"]', 'spelling = "ug/dL"', "zinc.unit: add spellings"),
        ("[[zinc.unit]]", "[zinc.unit", "analytes.toml: "),
        ('by = "6.538"', 'by = "0"', "zinc.unit: by: 0 must be a number above zero"),
        ('by = "6.538"', 'times = "-2"', "zinc.unit: times: -2 must be a number above zero"),
        ('by = "6.538"', 'by = "six"', "zinc.unit: by: six must be a number above zero"),
        ('by = "6.538"', 'plus = "few"', "zinc.unit: plus: few is not a number"),
    ],
)
def test_a_wrong_block_is_refused_with_its_name(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in ZINC
    with pytest.raises(KnowledgeError, match=r"analytes\.toml: ") as refused:
        known = folder(tmp_path, analytes=ZINC.replace(old, new, 1))
        assert known.analytes
        assert known.vocabularies
        assert known.orderables
    assert message in str(refused.value)


def test_a_wrong_code_is_refused_with_the_name_of_the_block(tmp_path: Path) -> None:
    known = folder(tmp_path, analytes=ZINC.replace("5763-8", "5763-7"))
    with pytest.raises(CodeError, match=r"analytes\.toml: zinc: codes"):
        known.vocabulary("observations")


def test_codes_and_an_order_are_listed_in_one_place(tmp_path: Path) -> None:
    lists = tmp_path / "codelists" / "observations"
    lists.mkdir(parents=True)
    (lists / "zinc.csv").write_text("system,code,display,verified,source\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match=r"also in codelists/observations/zinc\.csv"):
        folder(tmp_path, analytes=ZINC).vocabulary("observations")
    (lists / "zinc.csv").unlink()
    orders = '[zinc]\nlabel = "Zinc"\ncovers = ["zinc"]\ncodes = []\n'
    with pytest.raises(KnowledgeError, match=r"its order is also listed in orders\.toml"):
        assert folder(tmp_path, orders=orders).orderables
    without = "".join(line for line in ZINC.splitlines(True) if "codes" not in line)
    with pytest.raises(KnowledgeError, match="add codes to the block"):
        assert folder(tmp_path, analytes=without, orders="").orderables


def test_a_wrong_limit_or_source_is_refused(tmp_path: Path) -> None:
    limit = '["zinc.low"]\nvalue = "9"\nunit = "umol/L"\nreference = "x"\n'
    complete = limit + 'checked = 2026-11-27\nmeaning = "low"\n'
    for text, message in (
        (limit, "zinc.low: add checked, meaning"),
        (complete.replace('"9"', '"nine"'), "nine is not a number"),
        (
            complete.replace("2026-11-27", '"today"'),
            "zinc.low: write checked like 2026-11-23, without quotes",
        ),
        (complete.replace('"umol/L"', "5"), 'zinc.low: write unit like "mmol/L"'),
        (complete.replace('"low"', "[1]"), 'zinc.low: write meaning like "…", in quotes'),
        (complete.replace('["zinc.low"]', "[zinc.low]"), "write the key in quotes"),
        (complete.replace("umol/L", "ug/dL"), 'zinc.low: unit must be "umol/L"'),
        (complete.replace('"9"', '"900"'), "zinc.low: 900 umol/L is not plausible"),
    ):
        with pytest.raises(KnowledgeError, match=r"limits\.toml: ") as refused:
            folder(tmp_path, analytes=ZINC, limits=text).limits()
        assert message in str(refused.value)
    source = '[neighbour]\nlabel = "A"\ncitation = "A"\nkind = "hearsay"\n'
    with pytest.raises(KnowledgeError, match=r"references\.toml: neighbour: kind hearsay"):
        assert folder(tmp_path, references=source).references


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("analytes", '["ug/dL"]', '"ug/dL"', "zinc.unit: write spellings like"),
        ("analytes", "decimals = 1", 'decimals = "1"', "zinc: write decimals like 2, without"),
        ("analytes", UNITS, 'unit = "umol/L"', "zinc: write its units like [[zinc.unit]]"),
        ("references", "seen = true", 'seen = "no"', "x: write seen like true, without quotes"),
        ("references", "year = 2020", 'year = "2020"', "x: write year like 2026, without quotes"),
        (
            "references",
            "checked = 2026-11-27",
            'checked = "soon"',
            "x: write checked like 2026-11-",
        ),
        ("orders", 'covers = ["scan"]', 'covers = "scan"', 'scan: write covers like ["…", "…"]'),
        ("orders", "medication = false", 'medication = "no"', "scan: write medication like true"),
        ("orders", "codes = []", 'codes = "1-8"', "scan: write codes like [{ system = "),
        ("orders", "codes = []", 'codes = [{ code = "1-8" }]', "scan: codes: add display, system"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_with_an_example(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    """A text in place of a list would be read letter by letter, and any text would be true."""
    files = {
        "analytes": ZINC,
        "references": '[x]\nlabel = "A"\ncitation = "A"\nkind = "trial"\nyear = 2020\n'
        "seen = true\nchecked = 2026-11-27\n",
        "orders": '[scan]\nlabel = "Scan"\ncovers = ["scan"]\nmedication = false\ncodes = []\n',
    }
    known = folder(tmp_path, **files)
    assert known.analytes
    assert known.references
    assert known.orderables
    assert old in files[file]
    broken = folder(tmp_path, **{**files, file: files[file].replace(old, new)})
    with pytest.raises(KnowledgeError) as refused:
        assert (broken.analytes, broken.references, broken.orderables) is None
    assert str(refused.value).startswith(f"{file}.toml: {message}")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("analytes", ZINC.replace("decimals = 1\n", ""), "zinc: add decimals (line 2)"),
        (
            "analytes",
            ZINC.replace('by = "6.538"', "bye = 1"),
            "zinc.unit: bye is not a field here; use by, least, name, note, plus, spellings, times "
            "(line 10)",
        ),
        (
            "analytes",
            ZINC.replace('["zinc", "Serum zinc"]', '"zinc"'),
            'zinc: write names like ["calcium", "ca"] (line 2)',
        ),
        ("limits", '\n["zinc.low"] # low\nvalue = "9"\n', "zinc.low: add "),
        ("references", "# sources\n\n[x]\n", "x: add citation, kind, label (line 3)"),
        ("orders", '[scan]\nlabel = "Scan"\n', "scan: add codes, covers (line 1)"),
        ("orders", "[scan\n", "Expected ']' at the end of a table declaration (at line 1, "),
    ],
)
def test_the_line_of_the_entry_is_named(tmp_path: Path, file: str, text: str, message: str) -> None:
    known = folder(tmp_path, **{file: text})
    with pytest.raises(KnowledgeError) as refused:
        _ = known.analytes, known.limits(), known.references, known.vocabularies, known.orderables
    assert str(refused.value).startswith(f"{file}.toml: {message}")
    assert str(refused.value).count("line ") == 1


def test_a_file_of_a_site_is_not_taken_for_one_of_the_topic(tmp_path: Path) -> None:
    limit = '["zinc.low"]\nvalue = "9"\nunit = "umol/L"\nreference = "x"\n'
    limit += 'checked = 2026-11-27\nmeaning = "low"\n'
    known = folder(tmp_path, analytes=ZINC, limits=limit)
    with pytest.raises(KnowledgeError) as refused:
        known.limits({"zinc.low": {"value": "nine", "unit": "umol/L"}}, "limits.toml")
    assert str(refused.value) == "limits.toml: zinc.low: nine is not a number"


def test_only_tables_among_the_code_lists_are_read(tmp_path: Path) -> None:
    lists = tmp_path / "codelists" / "orders"
    lists.mkdir(parents=True)
    (lists / "abi.csv").write_text(
        "system,code,display,verified,source\nhttp://loinc.org,44974-4,ABI,true,a page\n",
        encoding="utf-8",
    )
    (lists / "abi.csv.orig").write_text("left by an editor", encoding="utf-8")
    assert [code_list.concept for code_list in KnowledgeFolder(tmp_path).code_lists("orders")] == [
        "abi"
    ]
