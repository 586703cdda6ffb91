"""What `leg-cramps-order-select` asks about the orders just picked, in catalogue order."""

from cds_service.core.rule import Rule

RULES: tuple[Rule, ...] = ()
