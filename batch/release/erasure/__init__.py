"""Takes persons out of releases that are published, and leaves a note of it."""
