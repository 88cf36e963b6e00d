"""Retention: rows, and values of a class of field, leave the lake when their days are over."""
