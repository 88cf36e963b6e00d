"""Derives what a field key such as `customer_ssn` means, and whether a value fits it."""
