"""The knowledge files of leg cramps: analytes, limits, references, orders, codes and names.

`KnowledgeFolder` says what each file holds, and refuses one that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

from cds_service.core.analytes import Analyte
from cds_service.core.knowledge import Reference
from cds_service.engine.knowledge_files import KnowledgeFolder
from cds_service.engine.orderables import Orderable

FOLDER = KnowledgeFolder(
    resources.files("hooks.knowledge"),
    # Limits that must be in this order whatever a site sets.
    ascending=(
        ("magnesium.severe", "magnesium.low", "magnesium.high"),
        ("potassium.severe", "potassium.urgent", "potassium.low", "potassium.caution"),
        ("potassium.caution", "potassium.high", "potassium.critical"),
        ("egfr.severe", "egfr.moderate"),
        ("ferritin.low", "ferritin.rls"),
        ("hemoglobin.critical", "hemoglobin.severe", "hemoglobin.pregnant"),
        ("sodium.critical", "sodium.diuretic", "sodium.low"),
        ("calcium.critical", "calcium.low"),
        ("calcium_ionized.critical", "calcium_ionized.low"),
        ("multiple.creatine_kinase", "multiple.creatine_kinase_statin"),
        ("transferrin_saturation.low", "transferrin_saturation.high"),
        ("magnesium_oxide.least", "magnesium_oxide.most"),
        ("baclofen.start", "baclofen.most"),
    ),
)


def analytes() -> Mapping[str, Analyte]:
    """Every analyte by key, with all spellings of its units."""
    return FOLDER.analytes


def references() -> Mapping[str, Reference]:
    """Every source by key."""
    return FOLDER.references


def orderables() -> Mapping[str, Orderable]:
    """Everything a card can offer, by key."""
    return FOLDER.orderables


limits = FOLDER.limits
