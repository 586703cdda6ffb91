"""Mutation testing of the rules and units, with its page docs/mutation.md."""
