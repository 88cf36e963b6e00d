"""How far a judge agrees with reviewers and with itself, and where its thresholds should be."""
