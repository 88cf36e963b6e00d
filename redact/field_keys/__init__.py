"""Meaning of field keys such as `customer_ssn`, and checks whether a value fits its key."""
