"""The review queue in the lake: claims, submissions, and what reviewers see and export."""
