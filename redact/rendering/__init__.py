"""Renders redacted text, and scans it for residual personal data."""
