"""The sample of a release: from a spec and two snapshots of the lake to weighted rows."""
