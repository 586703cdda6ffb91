"""Conformance to CDS Hooks, tested from outside; docs/conformance.md refers to these tests."""
