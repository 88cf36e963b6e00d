"""Decodes OTLP JSON requests, item by item. Ids are hex there, unlike in protobuf's own JSON."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel.json_documents import load_json
from otel.otlp_values import InvalidItemError, convert_log, convert_resource, convert_span
from otel.signals import Attributes, DecodedSignals, OtelLog, OtelSpan, RejectedItem, refuse_signals

Parsed = TypeVar("Parsed", bound=Message)
_HEX_FIELDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id"})
_SIGNALS = (
    ("resourceSpans", "scopeSpans", "spans"),
    ("resourceLogs", "scopeLogs", "logRecords"),
)


def decode_json(value: bytes) -> DecodedSignals:
    """Return the spans and log records of an OTLP request in JSON.

    Items that break a rule are rejected alone.
    """
    try:
        document = load_json(value)
    except ValueError:
        return refuse_signals("not an OTLP request: the JSON document cannot be parsed")
    if not isinstance(document, dict) or not any(_get_list(document, s[0]) for s in _SIGNALS):
        return refuse_signals(
            "not an OTLP request of traces or logs: no resourceSpans, no resourceLogs"
        )
    decoded = _JsonItems()
    for names in _SIGNALS:
        decoded.add(document, names)
    return DecodedSignals(
        spans=tuple(decoded.spans), logs=tuple(decoded.logs), rejected=tuple(decoded.rejected)
    )


class _JsonItems:
    def __init__(self) -> None:
        self.spans: list[OtelSpan] = []
        self.logs: list[OtelLog] = []
        self.rejected: list[RejectedItem] = []
        self._index = 0

    def add(self, document: Mapping[str, Any], names: tuple[str, str, str]) -> None:
        for item, resource, scope, place in _walk(document, names):
            try:
                self._add_item(item, resource, scope, is_span=names[2] == "spans")
            except InvalidItemError as error:
                alone = partial(_request_of_one, item, place, names)
                self.rejected.append(RejectedItem(self._index, str(error), alone))
            self._index += 1

    def _add_item(
        self, item: Any, resource: Attributes, scope: InstrumentationScope, *, is_span: bool
    ) -> None:
        if is_span:
            span = _parse(Span, _decode_ids(item))
            self.spans.append(convert_span(span, resource, scope, self._index))
        else:
            log = _parse(LogRecord, _decode_ids(item))
            self.logs.append(convert_log(log, resource, scope, self._index))


def _request_of_one(item: Any, place: tuple[Any, Any], names: tuple[str, str, str]) -> bytes:
    """Return a request that holds one item alone, with its resource and its scope."""
    resource, scope = place
    scoped = {"scope": scope, names[2]: [item]}
    request = {names[0]: [{"resource": resource, names[1]: [scoped]}]}
    return json.dumps(request, ensure_ascii=False).encode()


def _walk(
    document: Mapping[str, Any], names: tuple[str, str, str]
) -> Iterator[tuple[Any, Attributes, InstrumentationScope, tuple[Any, Any]]]:
    for group in _get_list(document, names[0]):
        resource = convert_resource(_parse_or_empty(Resource, group, "resource"))
        for scoped in _get_list(group, names[1]):
            scope = _parse_or_empty(InstrumentationScope, scoped, "scope")
            for item in _get_list(scoped, names[2]):
                yield item, resource, scope, (group.get("resource"), scoped.get("scope"))


def _get_list(document: Any, name: str) -> list[Any]:
    if not isinstance(document, dict):
        return []
    items = document.get(name, document.get(_to_snake(name)))
    return items if isinstance(items, list) else []


def _to_snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _decode_ids(item: Any) -> dict[str, Any]:
    """Return an item with its ids, and those of its links, as the base64 that protobuf expects."""
    if not isinstance(item, dict):
        raise InvalidItemError("the item is not an object")
    decoded = {key: _hex_to_base64(key, value) for key, value in item.items()}
    links = item.get("links")
    if isinstance(links, list):
        decoded["links"] = [_decode_ids(link) for link in links]
    return decoded


def _hex_to_base64(key: str, value: Any) -> Any:
    if key not in _HEX_FIELDS and key != "parent_span_id":
        return value
    if value is None:
        return ""
    try:
        return base64.b64encode(binascii.unhexlify(value)).decode("ascii")
    except (ValueError, TypeError):
        raise InvalidItemError("an id is not hexadecimal text") from None


def _parse_or_empty(kind: Callable[[], Parsed], document: Any, name: str) -> Parsed:
    value = document.get(name) if isinstance(document, dict) else None
    try:
        return _parse(kind, value if isinstance(value, dict) else {})
    except InvalidItemError:
        return kind()


def _parse(kind: Callable[[], Parsed], value: dict[str, Any]) -> Parsed:
    try:
        parsed: Parsed = ParseDict(
            value, kind(), ignore_unknown_fields=True, max_recursion_depth=100
        )
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidItemError("the item cannot be parsed") from None
    return parsed
