"""The jobs over the lake.

Compaction, releases, retention, erasure. Imports labels, redact, lake and schemas; never stream.
"""
