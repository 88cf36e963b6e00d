"""Decides cheaply which texts the model for names reads."""
