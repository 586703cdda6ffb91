"""Metabolic causes of cramps that a laboratory result shows, a module for each analyte."""
