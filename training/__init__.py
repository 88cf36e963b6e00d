"""Trains the models that goldpan ships. Not part of the installed package."""
