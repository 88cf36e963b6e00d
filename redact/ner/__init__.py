"""Names in people's free text: a small model of goldpan's own, or any spaCy model by setting."""
