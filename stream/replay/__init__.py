"""Replays: a past range again, staged beside the live tables, compared, and promoted."""
