"""What the key of a field names, and whether a value can be that."""
