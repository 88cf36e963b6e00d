"""Makers of valid input, shared by all tests."""
