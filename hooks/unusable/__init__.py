"""Data that could not be used: which of it matters, what was not checked, and in which words."""
