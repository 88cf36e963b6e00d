"""Where queries over the lake can run, other than in this process."""
