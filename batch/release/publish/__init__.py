"""Builds, publishes, signs, verifies and compares versions of a release."""
