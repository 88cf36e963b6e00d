"""A span as its dialect reads it: its role, and each field with the place it came from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Final

from otel.application_names import APPLICATION_FIELDS
from otel.dialect import Dialect, FieldName, SpanRole
from otel.dialects import recognise
from otel.json_documents import parse_json
from otel.signals import OtelLog, OtelSpan
from otel.sources import Source, read_attribute, read_group

_EVENT_ROLES: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_EVENT_CONTENT: Final = "gen_ai.event.content"
"""The attribute of a span event in which Azure's SDKs keep the message, as JSON."""
ID_FIELDS: Final[tuple[FieldName, ...]] = ("session_id", "user_id")
MAX_ID: Final = 512
"""The longest id that the tables take, in characters."""

ExtraFields = Mapping[FieldName, tuple[Source, ...]]


@dataclass(frozen=True, slots=True)
class FieldOrigin:
    """Where a value came from: a place within a span. Holds no content."""

    span_id: str
    dialect: str
    place: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that was read, with its origin."""

    value: Any
    origin: FieldOrigin


@dataclass(frozen=True)
class SpanView:
    """A span, its log records in order of time, and its dialect.

    ``extra`` holds further names of the application's own attributes.
    """

    span: OtelSpan
    logs: Sequence[OtelLog] = ()
    extra: ExtraFields = field(default_factory=dict)

    @cached_property
    def dialect(self) -> Dialect:
        """The dialect that the span was written in."""
        names = {log.event_name for log in self.logs} | {event.name for event in self.span.events}
        return recognise(self.span, frozenset(names))

    @cached_property
    def role(self) -> SpanRole | None:
        """What the span did, or None."""
        for rule in self.dialect.roles:
            value = self._decode(self.span.attributes.get(rule.source.key))
            role = None if value is None else rule.roles.get(str(value).lower(), rule.otherwise)
            if role is not None:
                return role
        return None

    def read(self, name: FieldName) -> Reading | None:
        """Return the first value of a field that is not empty, or None."""
        return next(self.read_all(name), None)

    def read_all(self, name: FieldName) -> Iterator[Reading]:
        """Yield the values of a field at each of its places, the best place first.

        A span from the table has its session and its user in columns of their own.
        """
        if (stored := self._stored(name)) is not None:
            yield Reading(stored, FieldOrigin(self.span.span_id, self.dialect.name, name))
        sources = (
            *self.extra.get(name, ()),
            *self.dialect.fields.get(name, ()),
            *APPLICATION_FIELDS.get(name, ()),
        )
        for source in sources:
            value = self._read_source(source)
            if value is not None and value != "":
                origin = FieldOrigin(self.span.span_id, self.dialect.name, source.label)
                yield Reading(value, origin)

    def _stored(self, name: FieldName) -> str | None:
        if name == "user_id":
            return self.span.user_id
        return self.span.session_id if name == "session_id" else None

    def read_text(self, name: FieldName, too_long: list[str] | None = None) -> Reading | None:
        """Return a field as text: numbers are written out; blanks and other values do not count.

        Nor does the id of a session that is longer than the tables take: it is added to
        ``too_long``, if that is given. The id of a user stays, so that its span is set aside:
        redaction can search for no id that it does not know.
        """
        for reading in self.read_all(name):
            text = _to_text(reading.value, is_id=name in ID_FIELDS)
            if text is None:
                continue
            if name != "session_id" or len(text) <= MAX_ID:
                return Reading(text, reading.origin)
            if too_long is not None:
                too_long.append(text)
        return None

    def read_number(self, name: FieldName) -> Reading | None:
        """Return a field as a number that is not negative."""
        for reading in self.read_all(name):
            number = _to_number(reading.value)
            if number is not None:
                return Reading(number, reading.origin)
        return None

    def _read_source(self, source: Source) -> Any:
        span = self.span
        match source.form:
            case "group":
                return read_group(span.attributes, source.key)
            case "resource":
                return span.resource.get(source.key)
            case "bodies":
                return self._read_bodies(source.key)
            case "events":
                return [dict(e.attributes) for e in span.events if e.name == source.key] or None
            case "log_attribute":
                return self._read_of_records(source.key)
            case _:
                return self._decode(read_attribute(span.attributes, source))

    def _read_of_records(self, key: str) -> Any:
        """Return an attribute of the first log record or span event that has it."""
        attributes = [record.attributes for record in self.logs]
        attributes += [event.attributes for event in self.span.events]
        return next((each[key] for each in attributes if each.get(key) is not None), None)

    def _read_bodies(self, pattern: str) -> list[dict[str, Any]] | None:
        """Return the bodies of log records, or of span events, as messages."""
        named = [(log.event_name, log.body if log.body is not None else log.attributes)
                 for log in self.logs]  # fmt: skip
        named += [(event.name, event.attributes) for event in self.span.events]
        messages = []
        for name, body in named:
            document = parse_json(body)
            if isinstance(document, Mapping) and _EVENT_CONTENT in document:
                document = parse_json(document[_EVENT_CONTENT])
            if fnmatchcase(name, pattern) and isinstance(document, Mapping):
                role = _EVENT_ROLES.get(name, "assistant")
                messages.append(
                    {"role": role, **{k: v for k, v in document.items() if v is not None}}
                )
        return messages or None

    def _decode(self, value: Any) -> Any:
        return parse_json(value) if self.dialect.json_values else value


def _to_text(value: Any, *, is_id: bool) -> str | None:
    """Return a text or a number as text; a whole number as an id has no decimal point."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if is_id and isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    text = str(value)
    return text if text.strip() else None


def _to_number(value: Any) -> float | int | None:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < 1e15 else None
