"""What `leg-cramps-patient-view` asks when a chart is opened, in catalogue order.

The order is the order of display among cards equally loud; `first-line-measures` stands
last, before the rule that reviews the other answers.
"""

from cds_service.core.rule import Rule
from hooks.rules.anemia import anemia
from hooks.rules.cirrhosis import cirrhosis_cramps
from hooks.rules.data_not_usable import data_not_usable
from hooks.rules.iron import low_ferritin
from hooks.rules.low_magnesium import low_magnesium

RULES: tuple[Rule, ...] = (
    low_magnesium,
    low_ferritin,
    anemia,
    cirrhosis_cramps,
    data_not_usable,
)
