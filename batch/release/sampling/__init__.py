"""Sampling: from a spec and two snapshots of the lake to the weighted rows of a release."""
