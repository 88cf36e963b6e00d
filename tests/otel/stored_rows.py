"""Rows of ``otel_spans`` as the spans, logs and feedback that they were made from."""

from collections.abc import Iterable, Mapping
from typing import Any

from otel.signals import DecodedSignals, OtelLog, OtelSpan, ProductFeedback
from otel.stored_spans import from_stored_span


def from_stored_spans(rows: Iterable[Mapping[str, Any]]) -> DecodedSignals:
    """Return the items of many rows, of one trace or of several."""
    items = [from_stored_span(row) for row in rows]
    return DecodedSignals(
        spans=tuple(item for item in items if isinstance(item, OtelSpan)),
        logs=tuple(item for item in items if isinstance(item, OtelLog)),
        feedback=tuple(item for item in items if isinstance(item, ProductFeedback)),
    )
