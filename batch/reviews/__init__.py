"""The review queue over the tables: who judges what, and what they found."""
