"""Detectors of personal data in one text, and the catalogue of their recognisers."""
