"""Finds the error of a span: in its status, its exception events, or its attributes."""

import re
from dataclasses import dataclass

from otel.span_tree import is_error
from otel.span_view import FieldOrigin, SpanView

_CLASS = re.compile(r"\s*([A-Za-z_][\w.]*)\s*[:(]")


@dataclass(frozen=True, slots=True)
class SpanError:
    """The error of a span: its class without the module, and its text."""

    error_type: str | None
    message: str | None
    origin: FieldOrigin


def find_error(view: SpanView) -> SpanError | None:
    """Return the error of a span, or None if nothing says that it failed.

    An exception event counts only with an error in the status or in ``error.type``: a span can
    record an exception that it handled. LangSmith and Langfuse say it in attributes.
    """
    error = view.span.attributes.get("error")
    if isinstance(error, str) and error:
        return _from_text(view, error, "error")
    if str(view.span.attributes.get("langfuse.observation.level")).upper() == "ERROR":
        text = str(view.span.attributes.get("langfuse.observation.status_message") or "")
        return _from_text(view, text, "langfuse.observation.status_message")
    named = view.read_text("error_type")
    if not is_error(view.span.status) and named is None:
        return None
    exception = next((e for e in reversed(view.span.events) if e.name == "exception"), None)
    found = dict(exception.attributes) if exception else {}
    message = found.get("exception.message") or view.span.status.message or None
    if named is not None:
        return SpanError(shorten_class(named.value), _text(message), named.origin)
    if found.get("exception.type"):
        origin = _origin(view, "span event exception → exception.type")
        return SpanError(shorten_class(str(found["exception.type"])), _text(message), origin)
    return _from_text(view, view.span.status.message, "the status of the span")


def shorten_class(name: str) -> str:
    """Return a class name without its modules."""
    return name.rsplit(".", 1)[-1]


def _from_text(view: SpanView, text: str, place: str) -> SpanError:
    match = _CLASS.match(text)
    kind = shorten_class(match[1]) if match else None
    return SpanError(kind, _message(text) if match else text or None, _origin(view, place))


def _message(text: str) -> str:
    """Return the message of ``Class('message')…`` or ``Class: message``, without a stack trace."""
    rest = text.split("\n\nTraceback", 1)[0].split("\nTraceback", 1)[0]
    match = re.match(r"\s*[\w.]+\((['\"])(.*)\1,?\)\s*\Z", rest, re.DOTALL)
    if match:
        return match[2]
    return re.sub(r"\A\s*[\w.]+:\s*", "", rest)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _origin(view: SpanView, place: str) -> FieldOrigin:
    return FieldOrigin(view.span.span_id, view.dialect.name, place)
