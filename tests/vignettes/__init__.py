"""Vignettes: one clause of the clinical content each, asked of the whole program."""
