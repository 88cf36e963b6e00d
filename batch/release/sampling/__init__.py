"""Draws the rows of a release: strata, allocation, near duplicates and the holdout."""
