"""The worker: consumes, decodes, flushes, and keeps positions through rebalances. Imports labels, redact, lake and schemas; never batch."""
