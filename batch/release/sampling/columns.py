"""The columns that a spec may filter and stratify by, and their expressions in a query.

A stratum is written as one text: for each column ``=`` and the value, or ``-`` for null, with a
unit separator between columns. So two strata never have the same text, on any engine.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import ibis

TEXT_COLUMNS: Final = (
    "app",
    "environment",
    "status",
    "error_type",
    "model_provider",
    "model_requested",
    "model_version",
    "prompt_version",
    "app_version",
    "finish_reason",
    "label",
    "route",
    "tool_path",
)
"""Columns with few values; ``label`` and ``route`` come from the label event in force."""

NUMBER_COLUMNS: Final = ("latency_ms", "input_tokens", "output_tokens", "cost_usd", "confidence")
"""Columns with many values; they need bands to stratify by."""

SEGMENT_PREFIX: Final = "segments."
NO_LABEL: Final = "none"
"""The label of a trace that has no label event."""

_FROM_LABEL: Final = frozenset({"label", "route", "confidence"})
_SEPARATOR: Final = "\x1f"
_COMPUTED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tool_path": lambda t: _tool_path(t.tool_calls),
}


def _tool_path(calls: Any) -> Any:
    """Return the names of the tools in order, null if none: engines disagree on empty lists."""
    names = calls.map(lambda call: call["name"]).join(">")
    return ibis.ifelse(calls.length() > 0, names, ibis.null("string"))


def is_spec_column(column: str) -> bool:
    """Return whether a spec may name this column."""
    return column in TEXT_COLUMNS or column in NUMBER_COLUMNS or is_segment(column)


def is_segment(column: str) -> bool:
    """Return whether a column is a segment, as in ``segments.plan``."""
    return column.startswith(SEGMENT_PREFIX) and len(column) > len(SEGMENT_PREFIX)


def needs_label(column: str) -> bool:
    """Return whether a column comes from the label event."""
    return column in _FROM_LABEL


def stored_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns of table ``traces`` that these are computed from, each once."""
    names = [
        "segments" if is_segment(c) else "tool_calls" if c == "tool_path" else c
        for c in columns
        if c not in _FROM_LABEL
    ]
    return list(dict.fromkeys(names))


def column_expression(table: Any, column: str) -> Any:
    """Return the column as an Ibis expression over candidate rows."""
    if is_segment(column):
        return table.segments.get(column.removeprefix(SEGMENT_PREFIX))
    if column in _COMPUTED:
        return _COMPUTED[column](table)
    return table[column]


def is_missing(number: Any) -> Any:
    """Return the expression that a number is null, which NaN is not: Spark takes both for null.

    NaN is above all other numbers on every engine.
    """
    return (number < 0).isnull()


def band_names(limits: Sequence[float]) -> list[str]:
    """Return the names of the bands between limits: ``<1000``, ``1000-3500``, ``>=3500``."""
    texts = [f"{limit:g}" for limit in limits]
    middle = [f"{low}-{high}" for low, high in pairwise(texts)]
    return [f"<{texts[0]}", *middle, f">={texts[-1]}"]


def stratum_text(table: Any, columns: Sequence[str], bands: Mapping[str, Sequence[float]]) -> Any:
    """Return the text that identifies the stratum of a row."""
    if not columns:
        return ibis.literal("")
    parts = [_part(table, column, bands.get(column)) for column in columns]
    joined = parts[0]
    for part in parts[1:]:
        joined = joined.concat(_SEPARATOR, part)
    return joined


def stratum_values(text: str, columns: Sequence[str]) -> dict[str, str | None]:
    """Return the values in the text of a stratum, by column; None for null."""
    if not columns:
        return {}
    parts = text.split(_SEPARATOR, len(columns) - 1)
    return {
        c: part[1:] if part[:1] == "=" else None for c, part in zip(columns, parts, strict=True)
    }


def stratum_name(values: Mapping[str, str | None]) -> str:
    """Return the name of a stratum for people."""
    if not values:
        return "all"
    return ", ".join(f"{c}={'(none)' if v is None else v}" for c, v in values.items())


def _part(table: Any, column: str, limits: Sequence[float] | None) -> Any:
    value = column_expression(table, column)
    if limits is not None:
        names = band_names(limits)
        below = [(value < limit, name) for limit, name in zip(limits, names, strict=False)]
        value = ibis.cases((is_missing(value), ibis.null("string")), *below, else_=names[-1])
    return ibis.ifelse(value.isnull(), "-", ibis.literal("=").concat(value))
