"""Finds personal data in one text, by type."""
