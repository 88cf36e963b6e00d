"""Reads JSON without leniency: one value, finite numbers, each key once."""

import json
import math
from typing import Any, Final

MAX_BYTES: Final = 4 * 1024 * 1024
"""A reply that is longer than this is no reply to a judge's question."""
_SPACE: Final = " \t\r\n"


class NotJsonError(ValueError):
    """The text is not one JSON value. The message holds no content."""


class AmbiguousJsonError(NotJsonError):
    """The text holds more than one value: a key twice, or something before or after a value."""


def read_one_value(text: str) -> Any:
    """Return the one JSON value (RFC 8259) that a text is, with white space around it.

    Raises AmbiguousJsonError for a key that is there twice, and for anything beside the value;
    NotJsonError for the rest, NaN and infinite numbers included.
    """
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
    )
    start = len(text) - len(text.lstrip(_SPACE))
    try:
        value, end = decoder.raw_decode(text, start)
    except NotJsonError:
        raise
    except (ValueError, RecursionError):
        if text[start : start + 1] not in ("{", "[") and _holds_an_object(text):
            raise AmbiguousJsonError("there is text beside an object") from None
        raise NotJsonError("it is not JSON") from None
    if text[end:].strip(_SPACE):
        raise AmbiguousJsonError("something follows the value")
    return value


def read_document(body: bytes) -> Any:
    """Return the one JSON value that a body is; errors as `read_one_value`."""
    if len(body) > MAX_BYTES:
        raise NotJsonError("it is too long")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise NotJsonError("it is not UTF-8") from None
    return read_one_value(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise AmbiguousJsonError("a key is there twice")
    return value


def _refuse_constant(name: str) -> Any:
    raise NotJsonError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotJsonError("a number is out of range")
    return value


def _holds_an_object(text: str) -> bool:
    """Return whether an object begins anywhere after the start of a text."""
    at = text.find("{", 1)
    for _ in range(8):
        if at < 0:
            return False
        try:
            json.JSONDecoder().raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
        else:
            return True
    return False
