"""Recognisers of numbers: accounts, cards, health and national numbers."""
