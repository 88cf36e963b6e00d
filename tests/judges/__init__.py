"""What a judge is asked, what its replies become, and how far its verdicts are believed."""
