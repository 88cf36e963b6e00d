"""Erases rows from published releases and publishes the versions that replace them."""
