"""The rules that `leg-cramps-order-sign` asks about all orders being signed.

They are in catalogue order, and look only for hazards: the hook shows no info card except
`data-not-usable`.
"""

from cds_service.engine.rule import Rule
from hooks.rules.albumin import albumin_ordered_without_cirrhosis
from hooks.rules.baclofen_hazards import (
    baclofen_ordered_encephalopathy,
    baclofen_ordered_renal_impairment,
)
from hooks.rules.data_not_usable import data_not_usable_for_order
from hooks.rules.magnesium_ordered import magnesium_ordered_renal_impairment
from hooks.rules.potassium_ordered import potassium_ordered_hazard
from hooks.rules.quinine import quinine_ordered

RULES: tuple[Rule, ...] = (
    quinine_ordered,
    magnesium_ordered_renal_impairment,
    potassium_ordered_hazard,
    baclofen_ordered_renal_impairment,
    baclofen_ordered_encephalopathy,
    albumin_ordered_without_cirrhosis,
    # cds-service new-rule adds above this line
    data_not_usable_for_order,
)
