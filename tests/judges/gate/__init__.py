"""Tests of the decision of a gate."""
