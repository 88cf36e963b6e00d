"""Labels over the whole lake: reconciliation, recomputation, policies and calibrations."""
