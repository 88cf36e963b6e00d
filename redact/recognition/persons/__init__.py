"""Recognisers of persons by a phrase, and of dates of birth."""
