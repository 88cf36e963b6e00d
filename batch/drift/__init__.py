"""Detects drift in production: compares two periods of the lake, or a period and a release."""
