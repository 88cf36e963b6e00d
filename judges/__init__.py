"""Judges: what is asked about an answer, the outcome, and how far it agrees with reviewers.

Pure: no network, no tables, no clock. Imports labels and schemas only.
"""
