"""A gate: whether a candidate ships, from requirements, with errors whose rate is known."""
