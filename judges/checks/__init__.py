"""The deterministic checks: exact about form, the same for ever, and without a price.

None of them knows what an answer means. A check that has nothing to look at says so: the row is
not applicable.
"""
