"""Retention: removes expired rows, and expired values of classes of fields."""
