"""What `leg-cramps-order-select` asks about the orders just picked, in catalogue order."""

from cds_service.core.rule import Rule
from hooks.rules.data_not_usable import data_not_usable_for_order

RULES: tuple[Rule, ...] = (data_not_usable_for_order,)
