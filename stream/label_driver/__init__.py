"""Labels in the worker: the join is driven, and what it decides is written and produced."""
