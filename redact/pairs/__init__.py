"""Finds keys and their values in any text that is not a single JSON document."""

from redact.pairs.pair import MAX_DEPTH, MAX_PAIRS, KeyValuePair, ValueForm
from redact.pairs.reader import read_pairs
from redact.pairs.split_tables import may_hold_split_table, read_split_tables

__all__ = [
    "MAX_DEPTH",
    "MAX_PAIRS",
    "KeyValuePair",
    "ValueForm",
    "may_hold_split_table",
    "read_pairs",
    "read_split_tables",
]
