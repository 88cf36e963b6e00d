"""Judges at work: the client of their servers, and the jobs that judge rows of the lake."""
