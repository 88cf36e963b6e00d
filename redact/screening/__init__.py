"""Selection of the free text that the name model reads, and of its plausible findings."""
