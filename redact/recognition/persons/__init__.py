"""Recognisers of persons by the phrases around them, and of birth dates."""
