"""What `leg-cramps-patient-view` asks when a chart is opened, in catalogue order."""

from cds_service.core.rule import Rule
from hooks.rules.low_magnesium import low_magnesium

RULES: tuple[Rule, ...] = (low_magnesium,)
