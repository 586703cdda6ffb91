"""CDS Hooks itself, seen from outside: what docs/conformance.md refers to."""
