"""Attacks on the whole service: what SECURITY.md refers to."""
