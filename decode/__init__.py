"""Turning the bytes of a record into a typed one, or into a reason why it cannot be one."""
