"""Named-entity recognition in free text, with a shipped model or a spaCy model."""
