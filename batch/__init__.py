"""Jobs over the lake: compaction, releases, labels, reviews, drift, retention, erasure.

Imports labels, redact, lake and schemas; never stream.
"""
