"""Synthetic populations, and the benchmark of the population command."""
