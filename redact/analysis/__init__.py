"""Analysis of a text: its JSON leaves, its keys with values, and the findings in it."""
