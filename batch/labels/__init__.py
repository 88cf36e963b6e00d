"""Labels over the whole lake: what the worker could not know, new policies, calibrations."""
