"""The worker: consumes, flushes, keeps positions through rebalances, and runs replays.

Imports decode, labels, redact, lake and schemas; never batch.
"""
