"""Exports a release in the import formats of other tools."""
