"""The files of a shipped model for names: its numbers, its word pieces, and its settings."""

NUMBERS, VOCABULARY, SETTINGS = "numbers.npz", "vocabulary.txt", "tagger.json"

FILES = (SETTINGS, NUMBERS, VOCABULARY)
"""What decides the findings of a model."""
