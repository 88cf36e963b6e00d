"""Makes accounts of model calls for tests: one call, as instrumentations account for it."""

from typing import Any

from otel.call_accounts import CallAccount, TraceAccount
from tests.otel.make_spans import SECOND, START

RESOURCE = {"service.name": "shop", "service.instance.id": "instance-1"}


def call(scope: str, start: float = 0.0, seconds: float = 1.0, **parts: Any) -> CallAccount:
    """Return a call that an instrumentation accounts for; times are seconds after a fixed start."""
    values: dict[str, Any] = {
        "instrumentations": frozenset({(scope, f"{scope} chat")}),
        "resource": RESOURCE,
        "start_ns": START + int(start * SECOND),
        "end_ns": START + int((start + seconds) * SECOND),
        "content": "question and answer",
        "response_id": None,
        "models": frozenset({"gpt-x"}),
        "tokens": (10, 3),
    }
    return CallAccount(**values | parts)


def account(trace_id: str, *calls: CallAccount, filled: int = 10) -> TraceAccount:
    """Return the account of a trace."""
    return TraceAccount(trace_id, calls, filled)
