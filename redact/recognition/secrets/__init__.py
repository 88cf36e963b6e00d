"""Recognisers of passwords, keys and tokens."""
