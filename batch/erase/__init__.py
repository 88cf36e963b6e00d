"""Erasing persons from a lake: looked for, kept out, taken out, purged, with a signed receipt."""
