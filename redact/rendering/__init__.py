"""Writes the replaced text, and scans it for what is left."""
