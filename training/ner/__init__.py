"""Trains the small model that finds names in people's free text (`redact/ner/model`)."""
