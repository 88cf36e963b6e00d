"""Properties of text that several rooms of redaction share."""
