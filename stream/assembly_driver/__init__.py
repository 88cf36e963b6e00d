"""Runs the assembly stage in the worker: its thread, its share of the work, what it reports."""
