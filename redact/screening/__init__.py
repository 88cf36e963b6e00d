"""Selects the free text for the name model to read, and filters its findings."""
