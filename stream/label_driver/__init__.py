"""Labels in the worker: drives the join, and stores and produces the resulting labels."""
