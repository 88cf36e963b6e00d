"""Whether production is still what it was: two periods of the lake, or a release, compared."""
