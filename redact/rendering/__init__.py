"""Rendering of the redacted text, and the scan of it for residual personal data."""
