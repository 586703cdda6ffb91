"""The data files are complete, and invalid files are refused with file, line and remedy."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from cds_service.engine.knowledge_files import KnowledgeFolder
from cds_service.terminology.codelists import Name, read_codes, read_names
from cds_service.terminology.codes import ATC, ICD10CM, CodeError, Coding
from cds_service.terminology.vocabulary import Vocabulary
from hooks.knowledge.vocabulary import (
    ALLERGIES,
    CONDITIONS,
    MEDICATIONS,
    OBSERVATIONS,
    ORDERS,
    code_lists,
    name_list,
)

FOLDERS = ("conditions", "medications", "observations", "orders", "allergies")
ROOT = files("hooks.knowledge")
BLOCKS = tomllib.loads(ROOT.joinpath("analytes.toml").read_text(encoding="utf-8"))
HEAD = "system,code,display,verified,source\n"
NAMES_HEAD = "concept,kind,pattern,note\n"
ROW = "http://loinc.org,2823-3,Potassium,true,a page\n"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_code_list_is_read_and_not_empty(folder: str) -> None:
    in_folder = [
        file for file in ROOT.joinpath("codelists", folder).iterdir() if file.name.endswith(".csv")
    ]
    in_blocks = [block for block in BLOCKS.values() if "codes" in block]
    lists = code_lists(folder)
    assert len(lists) == len(in_folder) + (len(in_blocks) if folder == "observations" else 0)
    for entry in lists:
        assert entry.rows, entry.concept
        for row in entry.rows:
            assert row.display, (entry.concept, row.code)
            assert row.source, (entry.concept, row.code)
            from_memory = row.source.startswith("general knowledge")
            assert not (row.verified and from_memory), (entry.concept, row.code)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_code_is_both_included_in_and_excluded_from_a_concept(folder: str) -> None:
    included = {
        (code_list.concept, row.code)
        for code_list in code_lists(folder)
        if not code_list.excludes
        for row in code_list.rows
    }
    excluded = {
        (code_list.concept, row.code)
        for code_list in code_lists(folder)
        if code_list.excludes
        for row in code_list.rows
    }
    assert not included & excluded


MEDICATION_CLASSES = """quinine magnesium magnesium_antacid_laxative magnesium_intravenous potassium
diuretic_loop diuretic_thiazide diuretic_potassium_sparing raas_inhibitor statin laba saba
other_cramp_provoking nsaid acetaminophen dopaminergic gabapentinoid albumin iron baclofen
baclofen_intrathecal anticoagulant sedative opioid warfarin mefloquine
digoxin qt_prolonging trimethoprim heparin calcineurin_inhibitor ppi magnesium_binding"""
CONDITION_CONCEPTS = """magnesium_loss alcohol_use diarrhoea heart_block asthma_severe
leg_swelling leg_cramps cirrhosis
ascites hepatic_encephalopathy ckd_any ckd_stage_3
ckd_stage_4_5 dialysis aki rls pad claudication neurogenic_claudication radiculopathy neuropathy
diabetes pregnancy motor_neuron_disease g6pd_deficiency long_qt myasthenia_gravis optic_neuritis
thrombocytopenia malaria babesiosis iron_overload heart_failure parkinson prolactinoma spasticity
liver_disease neurological_deficit quinine_hypersensitivity eclampsia arrhythmia constipation
dyspepsia hypomagnesemia hypermagnesemia hypokalemia hyperkalemia hypothyroidism anemia
rhabdomyolysis dvt baclofen_withdrawal congenital_long_qt limb_ischaemia_acute
limb_or_spine_emergency spine_red_flag"""
ANALYTES = """magnesium potassium ferritin transferrin_saturation crp hemoglobin platelets
creatinine egfr creatinine_clearance sodium glucose hba1c pregnancy_status"""
ORDER_KEYS = """imaging_leg_spine emg_nerve_conduction ecg abi extended_panel referral_neurology
referral_vascular"""


def test_every_documented_concept_exists_and_no_name_row_names_an_unknown_one() -> None:
    assert MEDICATIONS.all_concepts == set(MEDICATION_CLASSES.split())
    assert CONDITIONS.all_concepts == set(CONDITION_CONCEPTS.split())
    assert OBSERVATIONS.all_concepts >= set(ANALYTES.split())
    assert ORDERS.all_concepts >= {*ANALYTES.split(), *ORDER_KEYS.split()}
    assert ALLERGIES.all_concepts == {"quinine_hypersensitivity"}
    for folder, vocabulary in (
        ("conditions", CONDITIONS),
        ("medications", MEDICATIONS),
        ("observations", OBSERVATIONS),
        ("orders", ORDERS),
        ("allergies", ALLERGIES),
    ):
        for name in name_list(folder):
            assert name.concept == "*" or name.concept in vocabulary.all_concepts, name
            assert name.kind != "implies" or name.pattern in vocabulary.all_concepts, name


REFUSED_CODES = [
    ("a wrong first line", "code\n", "x.csv:1"),
    ("a missing column", HEAD + "http://loinc.org,2823-3,K,true\n", "x.csv:2"),
    ("a malformed code", HEAD + ROW + "http://loinc.org,2951-3,Na,true,a page\n", "x.csv:3"),
    ("an unknown system", HEAD + "urn:x,1,K,true,a page\n", "x.csv:2"),
    ("a code twice", HEAD + ROW + ROW, "x.csv:3"),
    ("not said whether it is verified", HEAD + "http://loinc.org,2823-3,K,,a page\n", "x.csv:2"),
    ("no source", HEAD + "http://loinc.org,2823-3,K,true,\n", "x.csv:2"),
]


@pytest.mark.parametrize(
    ("what", "text", "where"), REFUSED_CODES, ids=[row[0] for row in REFUSED_CODES]
)
def test_an_invalid_code_list_is_refused_naming_file_and_line(
    what: str, text: str, where: str
) -> None:
    with pytest.raises(CodeError) as refused:
        read_codes(text, "x.csv", "potassium")
    assert refused.value.where == where
    assert str(refused.value).startswith(f"{where}: ")
    assert refused.value.fix


REFUSED_NAMES = [
    ("an unknown kind", "quinine,regex,quinine,\n"),
    ("an empty pattern", "quinine,ingredient,,\n"),
    ("an empty choice", "quinine,ingredient,quinine|,\n"),
    ("a lone star", "quinine,ingredient,*,\n"),
    ("a star in the middle", "quinine,ingredient,qui*ine,\n"),
    ("a gap at the end", "quinine,ingredient,quinine ...,\n"),
    ("a limit that is not a number", "quinine,not,quinine <=x mg,\n"),
    ("a row twice", "quinine,ingredient,quinine,\nquinine,ingredient,quinine,\n"),
]


@pytest.mark.parametrize(("what", "rows"), REFUSED_NAMES, ids=[row[0] for row in REFUSED_NAMES])
def test_an_invalid_name_list_is_refused_naming_file_and_line(what: str, rows: str) -> None:
    with pytest.raises(CodeError) as refused:
        read_names(NAMES_HEAD + rows, "n.csv")
    assert refused.value.where.startswith("n.csv:")
    assert refused.value.fix


def _vocabulary(*names: tuple[str, str, str], codes: str = "") -> Vocabulary:
    lists = [read_codes(HEAD + codes, "a.csv", "a")] if codes else []
    return Vocabulary(lists, [Name(*name) for name in names])


PATTERNS = [
    ("whole words only", ("x", "phrase", "iron"), "spironolactone", False),
    ("capitals and accents do not count", ("x", "phrase", "meniere"), "MÉNIÈRE", True),
    ("hyphens do not count", ("x", "phrase", "k-dur"), "K Dur 20", True),
    ("apostrophes do not count", ("x", "phrase", "writer's cramp"), "Writers cramp", True),
    ("a choice of words", ("x", "phrase", "leg|calf cramp"), "calf cramp", True),
    ("the beginning of a word", ("x", "phrase", "ferr*"), "ferrous", True),
    ("the ending of a word", ("x", "phrase", "*sartan"), "losartan", True),
    ("an ending is not the whole word", ("x", "phrase", "*sartan"), "sartan", False),
    ("up to five words between", ("x", "phrase", "a ... z"), "a b c d e f z", True),
    ("six words between are too many", ("x", "phrase", "a ... z"), "a b c d e f g z", False),
    ("never across ingredients", ("x", "phrase", "a ... z"), "a / z", False),
    ("nor across sentences", ("x", "phrase", "a z"), "a. z", False),
    ("a number at most", ("x", "phrase", "a <=100 mg"), "A 100 MG", True),
    ("above the most", ("x", "phrase", "a <=100 mg"), "A 100.5 MG", False),
    ("a number at least", ("x", "phrase", "a >=2"), "a 1,000", True),
    ("a number below", ("x", "phrase", "a <2"), "a 2", False),
    ("a number above", ("x", "phrase", "a >2"), "a 2", False),
    ("a number glued to its unit", ("x", "phrase", "a # mg"), "a 81mg", True),
    ("a potency", ("x", "phrase", "a #x"), "a 6X", True),
    ("an ingredient begins", ("x", "phrase", "^salt"), "sugar 2 MG / 10 ML salt 1 MG", True),
    ("a word before the ingredient", ("x", "phrase", "^salt"), "drug salt", False),
    ("an ingredient ends", ("x", "phrase", "salt $"), "salt / sugar", True),
    ("the ingredient goes on", ("x", "phrase", "salt $"), "salt sugar", False),
    ("parts in any order", ("x", "phrase", "a + z"), "z b a", True),
    ("a part is missing", ("x", "phrase", "a + z"), "a b", False),
    ("the whole text", ("x", "exact", "k"), "K+", True),
    ("not the whole text", ("x", "exact", "k"), "vitamin K", False),
    ("a brand", ("x", "brand", "salty"), "Salty 10", True),
    ("a brand behind its ingredients", ("x", "brand", "salty"), "sugar 1 MG [Salty]", False),
]


@pytest.mark.parametrize(
    ("what", "name", "text", "found"), PATTERNS, ids=[row[0] for row in PATTERNS]
)
def test_the_pattern_language(
    what: str, name: tuple[str, str, str], text: str, found: bool
) -> None:
    assert _vocabulary(name).concepts((), (text,)) == ({"x"} if found else set())


def test_a_not_pattern_excludes_only_names_entirely_inside_it() -> None:
    words = _vocabulary(
        ("x", "ingredient", "salt"), ("x", "ingredient", "salt oxide"), ("x", "not", "*azole salt")
    )
    assert words.concepts((), ("omeprazole salt",)) == set()
    assert words.concepts((), ("omeprazole salt oxide",)) == {"x"}
    assert words.concepts((), ("omeprazole salt / salt",)) == {"x"}


def test_unless_overrides_a_code_and_even_so_overrides_unless() -> None:
    atc = Coding(ATC, "A01AA01")
    words = _vocabulary(
        ("a", "unless", "gel"),
        ("a", "even_so", "gel capsule"),
        codes=f"{ATC},A01AA01,thing,true,a page\n",
    )
    assert words.concepts([atc], ("thing tablet",)) == {"a"}
    assert words.concepts([atc], ("thing gel",)) == set()
    assert words.concepts([atc], ("thing gel capsule",)) == {"a"}


def test_three_different_companions_are_needed() -> None:
    words = _vocabulary(
        ("x", "ingredient", "salt"), *(("x", "unless_three", word) for word in ("a", "b", "c"))
    )
    assert words.concepts((), ("salt / a / b / a",)) == {"x"}
    assert words.concepts((), ("salt / a / b / c",)) == set()


def test_one_concept_can_imply_another() -> None:
    words = _vocabulary(("x", "phrase", "salt"), ("x", "implies", "y"), ("y", "implies", "z"))
    assert words.concepts((), ("salt",)) == {"x", "y", "z"}
    assert words.all_concepts == {"x", "y", "z"}


def test_categories_include_their_descendants_and_nothing_else() -> None:
    words = _vocabulary(codes=f"{ICD10CM},I70.2-,PAD,false,general knowledge\n")
    assert words.concepts([Coding(ICD10CM, "I70.211")], ()) == {"a"}
    assert words.concepts([Coding(ICD10CM, "I70.2")], ()) == {"a"}
    assert words.concepts([Coding(ICD10CM, "I70.3")], ()) == set()
    assert words.concepts([Coding(ICD10CM, "I70")], ()) == set()


@pytest.mark.parametrize("text", ["", " ", "/", "[", "[]]", "...", "É", "\x00", "1/2", "a" * 5000])
def test_any_text_is_read_without_an_error(text: str) -> None:
    for vocabulary in (CONDITIONS, MEDICATIONS, OBSERVATIONS, ORDERS, ALLERGIES):
        assert vocabulary.concepts((), (text,)) == set()


@pytest.mark.parametrize(
    ("vocabulary", "text", "counts"),
    [
        ("conditions", "Restless legs", True),
        ("conditions", "No restless legs", False),
        ("conditions", "Restless legs ruled out", False),
        ("conditions", "Family history of restless legs", False),
        ("conditions", "No neuropathy but restless legs", True),
        ("medications", "Ropinirole 1 mg", True),
        ("medications", "Ropinirole (stopped)", False),
        ("medications", "Do not give ropinirole", False),
        ("medications", "Avoid ropinirole", False),
        ("medications", "Discontinued: quinine; started ropinirole", True),
        ("orders", "No restless legs", True),  # the words of orders are those of the topic alone
    ],
)
def test_what_negates_a_name_is_known_to_every_topic(
    tmp_path: Path, vocabulary: str, text: str, counts: bool
) -> None:
    (tmp_path / "names").mkdir()
    rows = "rls,phrase,restless legs,\nagonist,phrase,ropinirole,\n"
    (tmp_path / "names" / f"{vocabulary}.csv").write_text(NAMES_HEAD + rows, encoding="utf-8")
    found = KnowledgeFolder(tmp_path).vocabulary(vocabulary).concepts((), (text,))
    assert bool(found) is counts


def test_no_topic_repeats_what_negates_a_name_in_all_of_them() -> None:
    for folder in ("conditions", "medications"):
        names = [name for name in name_list(folder) if name.concept == "*"]
        assert len(names) == len(set(names))
