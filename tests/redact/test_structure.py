"""JSON inside strings comes back as valid JSON of the same shape, redacted leaf by leaf."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redact.analysis.json_leaves import (
    character_origins,
    is_json_document,
    json_literal,
    read_leaves,
    unescape_json,
)
from redact.analysis.segment_parts import TextSegment
from redact.field_keys.key_book import KeyBook
from redact.pipeline.policy_redactor import RedactedText
from tests.redact.test_leaks import engine

KEYS = ("name", "email", "item_id", "deep", "\u00e9", "a b", "x@y.example.com", "phone", "note")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12) | st.sampled_from(["ann@example.com", "+1 212 555 0187", "Ann Lee"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def redacted(text: str) -> str:
    """Redact a text by itself."""
    result = engine().texts([TextSegment(text, free=False)])[0]
    assert isinstance(result, RedactedText)
    return result.text


def shape(value: Any) -> Any:
    """Return what is left of a value without its leaves."""
    if isinstance(value, dict):
        return [shape(inner) for inner in value.values()]
    return [shape(inner) for inner in value] if isinstance(value, list) else ""


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_json_stays_json_of_the_same_shape(value: Any, indent: int | None, escape: bool) -> None:
    """Whatever the document, its layout and its escapes."""
    text = json.dumps(value, indent=indent, ensure_ascii=escape)
    if not is_json_document(text):
        return  # a number alone is a text like any other
    out = redacted(text)
    assert shape(json.loads(out)) == shape(value)
    for canary in ("ann@example.com", "212 555 0187"):
        assert canary not in out


@given(JSON)
def test_leaves_are_where_they_say(value: Any) -> None:
    """Each leaf's place holds a literal of its value."""
    text = json.dumps(value)
    if not is_json_document(text):
        return
    for leaf in read_leaves(text, engine().book):
        assert str(json.loads(text[leaf.start : leaf.end])) == str(
            leaf.text if leaf.kind != "number" else json.loads(leaf.text)
        )


_TOKEN = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"(\s*:)?|([{}\[\]])|(-?[0-9][0-9.eE+-]*)', re.DOTALL)
_VALUES = (1, 4)
"""The groups of a string without a colon and of a number."""


@given(
    JSON | st.lists(st.text(st.sampled_from('\\"a:{}[]1-, \n'), max_size=9), max_size=4),
    st.sampled_from([None, 2]),
    st.sampled_from([(",", ":"), (", ", " : "), (" ,\r\n", "\t:\t")]),
)
def test_scanned_leaves_are_those_of_an_expression(
    value: Any, indent: int | None, signs: tuple[str, str]
) -> None:
    """Strings with any escapes, numbers, and keys with white space before the colon."""
    text = json.dumps(value, indent=indent, separators=signs)
    if not is_json_document(text):
        return
    found = [leaf for leaf in read_leaves(text, engine().book) if leaf.kind != "key"]
    matches = [match for match in _TOKEN.finditer(text) if match.lastindex in _VALUES]
    assert [(leaf.start, leaf.end) for leaf in found] == [match.span() for match in matches]
    assert [leaf.kind == "number" for leaf in found] == [bool(match[4]) for match in matches]


def test_a_string_without_an_end_is_an_error() -> None:
    """No loop and no leaf, if a text is no document after all: the record is refused."""
    with pytest.raises(ValueError, match="without an end"):
        read_leaves('["a', engine().book)


@given(st.text(max_size=30), st.booleans())
def test_origins_follow_escapes(text: str, ascii_only: bool) -> None:
    """There is one origin for each character of the value, in order, and one after the last."""
    raw = json_literal(text, ascii_only=ascii_only)[1:-1]
    assert unescape_json(raw) == text
    places = character_origins(raw)
    assert len(places) == len(text) + 1
    assert places == sorted(set(places))


def test_untouched_parts_keep_every_byte() -> None:
    """White space, numbers and duplicate keys stay unchanged."""
    text = '{ "n": 1.50,\t"n": 2E3 , "email":"a@example.com","t":"\\u00e9" }'
    out = redacted(text)
    head, tail = text.split('"a@example.com"')
    assert out.startswith(head)
    assert out.endswith(tail)


def test_rules_on_keys_work_in_both_directions() -> None:
    """Any value under a personal key is replaced; ids are not phone numbers."""
    document = {
        "email": "not an address",
        "passengerName": "ann lee",
        "address": {"line": ["12 B"], "country": "Chile"},
        "item_id": "2125550187",
        "orderId": 2125550187,
        "callback": "2125550187",
        "name": "get_user_details",
    }
    out = json.loads(redacted(json.dumps(document)))
    assert out["email"].startswith("<EMAIL_ADDRESS:")
    assert out["address"]["line"][0].startswith("<STREET_ADDRESS:")
    assert out["address"]["country"] == "Chile"
    assert (out["item_id"], out["orderId"]) == ("2125550187", 2125550187)
    assert out["callback"].startswith("<PHONE_NUMBER:")
    assert out["name"] == "get_user_details"


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_json_in_json_is_redacted_at_any_depth(depth: int) -> None:
    """A document packed into strings several times comes back packed as often."""
    text = json.dumps({"email": "ann@example.com", "n": 1})
    for _ in range(depth):
        text = json.dumps({"body": text})
    out = redacted(text)
    for _ in range(depth):
        out = json.loads(out)["body"]
    inner = json.loads(out)
    assert inner["email"].startswith("<EMAIL_ADDRESS:")
    assert inner["n"] == 1


def test_key_book_reads_spellings_of_a_key() -> None:
    """Case, dashes and camels make no difference."""
    book: KeyBook = engine().book
    for key in ("first_name", "firstName", "First Name", "FIRST-NAME", "firstname"):
        assert book.rule(key) == "PERSON"
    assert book.rule("order_id") == ""
    assert book.rule("colour") is None


def test_a_field_whose_name_is_a_value_has_the_rule_of_that_name() -> None:
    """Forms write `{"name": "ssn", "value": ...}`; ids among them stay ids."""
    text = json.dumps(
        [
            {"name": "ssn", "value": "521438871"},
            {"key": "order_id", "value": "4539148803436467"},
            {"name": "colour", "value": "blue"},
            {"name": "Email", "text": "The customer's e-mail address"},
        ]
    )
    fields = json.loads(redacted(text))
    assert fields[0]["value"].startswith("<US_SSN:")
    assert fields[1:] == json.loads(text)[1:]
