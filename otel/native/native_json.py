"""What the decoders of native bodies have in common: fields with checks, and rejected items."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Self

from otel.json_documents import load_json
from otel.otlp_values import InvalidItemError
from otel.signals import DecodedSignals, OtelSpan, ProductFeedback, RejectedItem, TargetKind
from schemas.times import to_micros

MAX_ID: Final = 512


@dataclass(frozen=True, slots=True)
class BodyOfOne:
    """How a body that holds one item alone is written, and the path of the call it belongs to."""

    write: Callable[[Any], Any]
    path: str = ""


class NativeBody:
    """Collects the items of one body. An item that breaks a rule is rejected alone.

    ``spans`` and ``feedback`` say how an item that is rejected is kept.
    """

    def __init__(self, *, spans: BodyOfOne, feedback: BodyOfOne) -> None:
        self._of_span, self._of_feedback = spans, feedback
        self._spans: list[OtelSpan] = []
        self._feedback: list[ProductFeedback] = []
        self._rejected: list[RejectedItem] = []
        self._index = 0

    def add_spans(
        self, items: Sequence[Any], read: Callable[[Mapping[str, Any], int], OtelSpan]
    ) -> Self:
        """Read each item as a span."""
        for item in items:
            self._add(item, read, self._spans, self._of_span)
        return self

    def add_feedback(
        self, items: Sequence[Any], read: Callable[[Mapping[str, Any], int], ProductFeedback]
    ) -> Self:
        """Read each item as feedback."""
        for item in items:
            self._add(item, read, self._feedback, self._of_feedback)
        return self

    def reject(self, reason: str, payload: bytes) -> None:
        """Reject an item that is no document; ``payload`` is all that was sent of it."""
        self._rejected.append(RejectedItem(self._index, reason, lambda: payload))
        self._index += 1

    def result(self) -> DecodedSignals:
        """Return everything that was added."""
        return DecodedSignals(
            spans=tuple(self._spans),
            feedback=tuple(self._feedback),
            rejected=tuple(self._rejected),
        )

    def _add(
        self,
        item: Any,
        read: Callable[[Mapping[str, Any], int], Any],
        to: list[Any],
        alone: BodyOfOne,
    ) -> None:
        try:
            to.append(read(_require_object(item), self._index))
        except InvalidItemError as error:
            write = partial(_write_alone, alone, item)
            self._rejected.append(RejectedItem(self._index, str(error), write, alone.path))
        self._index += 1


def _write_alone(alone: BodyOfOne, item: Any) -> bytes:
    return json.dumps(alone.write(item), ensure_ascii=False).encode()


def _require_object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise InvalidItemError("the item is not an object")
    return item


def parse_body(value: bytes) -> Any:
    """Return the JSON document of a body, or None."""
    try:
        return load_json(value)
    except ValueError:
        return None


def require_text(item: Mapping[str, Any], key: str) -> str:
    """Return an identifier. Raises InvalidItemError if it is missing or too long."""
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidItemError(f"{key} is missing")
    if len(value) > MAX_ID:
        raise InvalidItemError(f"{key} is longer than {MAX_ID} characters")
    return value


def read_optional(item: Mapping[str, Any], key: str) -> str | None:
    """Return a text that is not empty, or None."""
    value = item.get(key)
    return value if isinstance(value, str) and value else None


def read_target(
    item: Mapping[str, Any], targets: Sequence[tuple[str, TargetKind]]
) -> tuple[TargetKind, str] | None:
    """Return the kind and the id of the first target that a feedback names, or None."""
    for key, kind in targets:
        if target_id := read_optional(item, key):
            return kind, target_id
    return None


def read_time(value: Any) -> int:
    """Return epoch nanoseconds of an ISO 8601 text or of epoch milliseconds; 0 if unreadable."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value * 1_000_000) if 0 < value < 1e14 else 0
    if not isinstance(value, str):
        return 0
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, to_micros(moment) * 1000)
