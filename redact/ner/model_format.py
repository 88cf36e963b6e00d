"""The names of the files that make up a shipped name model."""

NUMBERS, VOCABULARY, SETTINGS = "numbers.npz", "vocabulary.txt", "tagger.json"

FILES = (SETTINGS, NUMBERS, VOCABULARY)
"""What decides the findings of a model."""
