"""Analyses a text: its JSON leaves, its keys and values, and the findings in it."""
