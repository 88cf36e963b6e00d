"""The jobs of a gate: reads a candidate and verdicts, decides, keeps the run, and reports it."""
