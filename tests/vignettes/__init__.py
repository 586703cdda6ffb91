"""Vignettes: each tries one clause of the clinical content on the whole program."""
