"""Erases persons from a lake and its releases, with a signed receipt."""
