"""Jobs over assembled traces: assemble what came late, and mark traces that repeat others."""
