"""The names of the files that make up a shipped name model."""

NUMBERS, VOCABULARY, SETTINGS = "numbers.npz", "vocabulary.txt", "tagger.json"

FILES = (SETTINGS, NUMBERS, VOCABULARY)
"""All files that affect the findings of a model."""
