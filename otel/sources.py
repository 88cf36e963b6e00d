"""Where a dialect keeps a field: an attribute, a path into its JSON, or a group of attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel.json_documents import parse_json

SourceForm = Literal[
    "attribute", "group", "bodies", "log_attribute", "events", "resource", "name", "status", "sum"
]

MAX_PATH: Final = 12
"""Longest key of a group, in parts; deeper keys are left out."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place of a field.

    ``form`` says how ``key`` is read: ``attribute`` (``path`` leads into its JSON), ``group`` (all
    attributes that start with the key and a dot, as a nested document), ``bodies`` (log records of
    the span, or its span events), ``log_attribute`` (an attribute of a log record or of a span
    event of the span), ``events`` (span events of that name), ``resource`` (an attribute of the
    resource), ``sum`` (the sum of the numbers in an attribute's JSON object whose key holds
    ``path``).
    """

    key: str
    path: str = ""
    form: SourceForm = "attribute"

    @property
    def label(self) -> str:
        """The place as shown to a reader. Never holds content."""
        label = f"{self.key}.*" if self.form == "group" else self.key
        if self.form == "sum":
            label += f" → sum of *{self.path}*"
        elif self.path:
            label += f" → {self.path}"
        prefix = {
            "bodies": "log ",
            "log_attribute": "log attribute ",
            "events": "span event ",
            "resource": "resource ",
        }
        return prefix.get(self.form, "") + label


def attribute(key: str, path: str = "") -> Source:
    """Return the place of an attribute, or of a value within the JSON of an attribute."""
    return Source(key, path)


def group(key: str) -> Source:
    """Return the place of a document that is spread over attributes such as ``key.0.role``."""
    return Source(key, form="group")


def bodies(key: str) -> Source:
    """Return the place of the bodies of the span's log records whose event name is the key."""
    return Source(key, form="bodies")


def log_attribute(key: str) -> Source:
    """Return the place of an attribute of the span's log records."""
    return Source(key, form="log_attribute")


def events(key: str) -> Source:
    """Return the place of the attributes of the span's events of this name."""
    return Source(key, form="events")


def sum_of(key: str, word: str) -> Source:
    """Return the place of a sum: of the numbers in the JSON of an attribute with a word in the key.

    Products split a number into parts that do not overlap.
    """
    return Source(key, word, form="sum")


def resource(key: str) -> Source:
    """Return the place of an attribute of the resource."""
    return Source(key, form="resource")


def read_path(value: Any, path: str) -> Any:
    """Return the value at a dotted path, or None. JSON in strings is decoded on the way."""
    for part in path.split(".") if path else ():
        value = parse_json(value)
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.lstrip("-").isdigit():
            value = value[int(part)] if -len(value) <= int(part) < len(value) else None
        else:
            return None
    return value


def read_attribute(attributes: Mapping[str, Any], source: Source) -> Any:
    """Return the value of an attribute or a sum. The longest key wins: keys may hold dots."""
    if source.form == "sum":
        return _read_sum(attributes, source)
    value = attributes.get(source.key)
    if value is None or not source.path:
        return value
    document = parse_json(value)
    if isinstance(document, dict) and source.path in document:
        return document[source.path]
    return read_path(document, source.path)


def _read_sum(attributes: Mapping[str, Any], source: Source) -> float | int | None:
    """Return the sum of a sum source, or None if no key holds its word.

    If all parts exceed the ``total``, they overlap, and the part that has the word as its key is
    the whole. Costs are no parts.
    """
    document = parse_json(attributes.get(source.key))
    if not isinstance(document, dict):
        return None
    numbers = {
        key.lower(): value
        for key, value in document.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    total, whole = numbers.pop("total", None), numbers.get(source.path)
    parts = {key: value for key, value in numbers.items() if "cost" not in key}
    if total is not None and whole is not None and sum(parts.values()) > total:
        return whole
    found = [value for key, value in parts.items() if source.path in key]
    return sum(found) if found else None


def read_group(attributes: Mapping[str, Any], prefix: str) -> Any:
    """Return the attributes below a prefix as one nested document, or None if there are none.

    Numbers become lists in their order; gaps are closed, so a huge index costs nothing.
    """
    start = f"{prefix}."
    tree: dict[str, Any] = {}
    for key, value in attributes.items():
        if key.startswith(start):
            _insert(tree, key[len(start) :].split("."), value)
    return _close_lists(tree) if tree else None


def _insert(tree: dict[str, Any], parts: list[str], value: Any) -> None:
    if len(parts) > MAX_PATH:
        return
    for part in parts[:-1]:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            return
        tree = child
    tree.setdefault(parts[-1], value)


def _close_lists(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    closed = {key: _close_lists(value) for key, value in tree.items()}
    if closed and all(key.isascii() and key.isdigit() and len(key) < 10 for key in closed):
        return [closed[key] for key in sorted(closed, key=int)]
    return closed
