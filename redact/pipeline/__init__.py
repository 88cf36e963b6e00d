"""Redaction of records and lines from end to end, with audit and rejection."""
