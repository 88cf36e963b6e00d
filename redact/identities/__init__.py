"""Identities that a record states: extraction, written variants, and search in all its texts."""
