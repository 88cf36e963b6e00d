"""Reads a field: its JSON leaves, its keyed values, and its segments."""
