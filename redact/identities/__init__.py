"""The persons of a record: their names, and the variants of a name."""
