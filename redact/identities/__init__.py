"""Identities that a record states: extraction, spelling variants, and search in its texts."""
