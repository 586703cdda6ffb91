"""Metabolic causes of cramps that a laboratory result shows, one analyte a module."""
