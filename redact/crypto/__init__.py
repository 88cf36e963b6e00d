"""Keys, and everything computed with them: pseudonyms, marks, signatures, sealed payloads."""
