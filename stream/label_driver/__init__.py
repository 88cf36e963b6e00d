"""Labels in the worker: drives the join, and writes and produces the labels that it decides."""
