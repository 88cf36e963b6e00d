"""Redaction policies: types of personal data, rules, settings and presets."""
