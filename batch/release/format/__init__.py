"""The files of a release: rows, manifest, version and the note of an erasure."""
