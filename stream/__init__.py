"""The worker.

Consumes, decodes, flushes, and keeps positions through rebalances. Imports labels, redact, lake and
schemas; never batch.
"""
