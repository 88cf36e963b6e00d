"""Recognisers for persons, by the phrases around their names, and for birth dates."""
