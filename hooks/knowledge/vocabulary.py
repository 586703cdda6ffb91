"""The vocabularies of leg cramps: which codes and names stand for which clinical concepts.

The content is data for clinicians to review: ``codelists/`` and ``names/``, and the ``codes`` and
``names`` of blocks in ``analytes.toml`` (`cds_service.engine.knowledge_files`).

Results are recognised by their code. Their text counts if none of their codings is on a list; with
a LOINC code that is on no list it counts only if the unit is one of the analyte
(`fhir.read.codebook`).
"""

from __future__ import annotations

from hooks.knowledge.files import FOLDER

vocabulary = FOLDER.vocabulary
code_lists = FOLDER.code_lists
name_list = FOLDER.name_list

CONDITIONS = vocabulary("conditions")
MEDICATIONS = vocabulary("medications")
OBSERVATIONS = vocabulary("observations")
ORDERS = vocabulary("orders")
ALLERGIES = vocabulary("allergies")
