"""Recognisers for numbers: accounts, cards, health and national numbers."""
