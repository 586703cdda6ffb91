"""The audit trail: what was asked of the rules in each call, and what the cards said."""
