"""Short names for why a trace has no row: for metrics, where a sentence would be too much."""

from typing import Final

from otel.assembly import AssembledTrace

NO_SPANS: Final = "no_spans"
NO_TIME: Final = "no_time"
NO_MODEL_CALL: Final = "no_model_call"
OTHER_APPLICATION: Final = "other_application"

ROW_REASONS: Final = (NO_SPANS, NO_TIME, NO_MODEL_CALL, OTHER_APPLICATION)

_BEGINNINGS: Final = (
    ("no span of this trace", NO_SPANS),
    ("no span has a start time", NO_TIME),
    ("no model call", NO_MODEL_CALL),
    ("no span of a language model application", OTHER_APPLICATION),
)


def name_row_reason(trace: AssembledTrace) -> str | None:
    """Return the name of the reason why a trace has no row; None if it has one."""
    if trace.reason is None:
        return None
    for beginning, name in _BEGINNINGS:
        if trace.reason.startswith(beginning):
            return name
    raise ValueError("a reason without a name")
