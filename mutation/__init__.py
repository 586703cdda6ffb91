"""Mutation testing of the rules and units: `python -m mutation`, with its page docs/mutation.md."""
