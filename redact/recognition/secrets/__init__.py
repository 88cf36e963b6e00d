"""Recognisers for passwords, keys and tokens."""
