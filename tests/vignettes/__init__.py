"""Vignettes: one clause of the clinical content each, tried on the whole program."""
