"""The rules that `leg-cramps-order-select` asks about the orders just selected.

They are in catalogue order.
"""

from cds_service.engine.rule import Rule
from hooks.rules.albumin import albumin_ordered_without_cirrhosis
from hooks.rules.analgesics import analgesic_ordered_for_cramps
from hooks.rules.baclofen_dose import baclofen_ordered_dose
from hooks.rules.baclofen_hazards import (
    baclofen_ordered_encephalopathy,
    baclofen_ordered_renal_impairment,
)
from hooks.rules.data_not_usable import data_not_usable_for_order
from hooks.rules.diuretic import diuretic_ordered_with_cramps
from hooks.rules.dopaminergic import dopaminergic_ordered_for_cramps
from hooks.rules.magnesium_benefit import (
    magnesium_ordered_level_unknown,
    magnesium_ordered_normal_level,
)
from hooks.rules.magnesium_dose import magnesium_ordered_dose
from hooks.rules.magnesium_ordered import magnesium_ordered_renal_impairment
from hooks.rules.potassium_ordered import potassium_ordered_hazard
from hooks.rules.quinine import quinine_ordered
from hooks.rules.referral import extensive_workup_ordered

RULES: tuple[Rule, ...] = (
    quinine_ordered,
    magnesium_ordered_renal_impairment,
    magnesium_ordered_normal_level,
    magnesium_ordered_level_unknown,
    magnesium_ordered_dose,
    potassium_ordered_hazard,
    baclofen_ordered_renal_impairment,
    baclofen_ordered_encephalopathy,
    baclofen_ordered_dose,
    albumin_ordered_without_cirrhosis,
    dopaminergic_ordered_for_cramps,
    analgesic_ordered_for_cramps,
    diuretic_ordered_with_cramps,
    extensive_workup_ordered,
    # cds-service new-rule adds above this line
    data_not_usable_for_order,
)
