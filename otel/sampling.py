"""Reads the sampling probability from the trace state of OpenTelemetry (``ot=th:…``)."""

import re
from collections.abc import Iterable
from typing import Final

_THRESHOLD: Final = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:;|,|\s|$)")
_BITS: Final = 56


def read_sampling_probability(trace_states: Iterable[str]) -> float | None:
    """Return the probability with which a trace was kept, or None if no state says so.

    A threshold T of 56 bits, trailing zeros left out, keeps a trace with probability 1 - T / 2^56
    (OpenTelemetry, "TraceState: probability sampling").
    """
    for state in trace_states:
        match = _THRESHOLD.search(state)
        if match:
            threshold = int(match[1].ljust(14, "0"), 16)
            return 1 - threshold / (1 << _BITS)
    return None
