"""The jobs over the lake: compaction, releases, retention, erasure. Imports labels, redact, lake and schemas; never stream."""
