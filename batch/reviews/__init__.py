"""The review queue over the tables: claims, submissions, and what reviewers see and export."""
