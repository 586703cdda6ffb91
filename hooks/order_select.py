"""What `leg-cramps-order-select` asks about the orders just picked, in catalogue order."""

from cds_service.core.rule import Rule
from hooks.rules.data_not_usable import data_not_usable_for_order
from hooks.rules.magnesium_in_renal_impairment import magnesium_ordered_renal_impairment
from hooks.rules.quinine import quinine_ordered
from hooks.rules.referral import extensive_workup_ordered

RULES: tuple[Rule, ...] = (
    quinine_ordered,
    magnesium_ordered_renal_impairment,
    extensive_workup_ordered,
    data_not_usable_for_order,
)
