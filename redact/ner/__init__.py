"""Named-entity recognition in free text: the shipped model, or a spaCy model by setting."""
