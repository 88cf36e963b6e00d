"""Builds, publishes, verifies and compares the versions of releases."""
