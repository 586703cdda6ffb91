"""The audit trail: the outcomes of the rules in each call, and what the cards said."""
