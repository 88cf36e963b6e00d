"""The app that a record belongs to: a field of traces and feedback, the service of a span."""

from typing import Any, Final

import msgspec

_NAMES: Final = ("service.name", "openinference.project.name")
UNKNOWN_APP: Final = "unknown"
"""The app of a trace whose spans name none (`otel.assembly`)."""


def app_of(record: Any) -> str:
    """Return the app of a record, empty if records of its kind have none."""
    app = getattr(record, "app", None)
    if app is not None:
        return str(app)
    resource = getattr(record, "resource", None)
    return "" if resource is None else _service_of(resource)


def _service_of(resource: str) -> str:
    try:
        attributes = msgspec.json.decode(resource)
    except msgspec.DecodeError:
        return UNKNOWN_APP
    named = (attributes.get(name) for name in _NAMES) if isinstance(attributes, dict) else ()
    return next((name for name in named if isinstance(name, str) and name), UNKNOWN_APP)
