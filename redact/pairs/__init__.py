"""Keys with their values in any text that is not one JSON document: one tolerant reader."""

from redact.pairs.apart import apart, may_stand_apart
from redact.pairs.pair import MAX_DEPTH, MAX_PAIRS, Form, Pair
from redact.pairs.reader import pairs

__all__ = ["MAX_DEPTH", "MAX_PAIRS", "Form", "Pair", "apart", "may_stand_apart", "pairs"]
