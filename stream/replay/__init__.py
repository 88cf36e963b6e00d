"""Replays: past ranges, reprocessed into staging tables, compared and promoted."""
