"""Tests of the jobs of a gate."""
