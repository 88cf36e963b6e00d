"""Findings, and properties of text that do not depend on a policy."""
