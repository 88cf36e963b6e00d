"""Texts are found anywhere in a row, and only there."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.erase.persons import Persons
from batch.erase.receipt import format_spans, parse_spans
from batch.erase.scope import ErasureScope, list_free_text_columns
from batch.erase.text_search import TextSearch
from batch.erase.tombstone_store import TombstoneMarks
from schemas.arrow import TABLES
from tests.batch.erase.world import KEYS, PERSON, PLACEHOLDER, TOKEN, USER, records
from tests.labels.kit import rows, trace

SCHEMA = TABLES["traces"].arrow
COLUMNS = list_free_text_columns("traces")
PERSONS = Persons.of([PERSON], [KEYS], [])
WANTED = ErasureScope(PERSONS, TombstoneMarks([KEYS]))


def everything(value: Any) -> list[str]:
    """All texts that a value is made of."""
    if isinstance(value, dict):
        return [t for pair in value.items() for part in pair for t in everything(part)]
    if isinstance(value, list | tuple):
        return [t for part in value for t in everything(part)]
    return [value] if isinstance(value, str) else []


texts = st.lists(st.sampled_from(["ann", "ann1", "x-ann.", "bob", "é", "", "(ann)"]), max_size=3)


@given(st.lists(st.tuples(texts, texts, texts), max_size=5), st.integers(0, 3))
def test_a_text_in_any_column_at_any_depth(found: list[Any], skipped: int) -> None:
    """As a search through each row as a Python value says; also in a slice of a table."""
    made = [
        {
            "messages": [
                {"role": "user", "content": c, "tool_calls": [{"id": c, "name": c, "arguments": c}]}
                for c in contents
            ],
            "attributes": [(key, "v") for key in dict.fromkeys(keys)],
            "segments": [("k", value) for value in values[:1]],
        }
        for contents, keys, values in found
    ]
    names = ("messages", "attributes", "segments")
    schema = pa.schema([SCHEMA.field(name) for name in names])
    table = pa.Table.from_pylist(made, schema=schema).slice(min(skipped, len(made)))
    sought = TextSearch.of([], ["ann"])
    hits = sought.match_rows(table, names)
    assert hits.tolist() == [
        any(word in {"ann", "x-ann.", "(ann)"} for word in everything(row))
        for row in table.to_pylist()
    ]


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        (f"as {PLACEHOLDER} said", True),
        (f"x{PLACEHOLDER}x", True),
        (USER, True),
        (f"#{TOKEN}", True),
        (PERSON, True),
        (f"_{PERSON}_", True),
        (f"{PERSON}1", False),
        (f"a{PERSON}", False),
        (PLACEHOLDER.replace("USER_ID", "PERSON"), False),
    ],
)
def test_what_names_the_person(text: str, hit: bool) -> None:
    """Pseudonyms anywhere, the id as a word of its own; another's token, or longer id, is not."""
    table = pa.Table.from_batches([rows([trace("t", error_message=text), trace("u")])])
    assert WANTED.match_rows("traces", table).mention.tolist() == [hit, False]


def test_short_ids_are_looked_for_in_columns_of_ids_only() -> None:
    """One of two letters would be found in every other text."""
    short = ErasureScope(Persons.of(["me"], [KEYS], []), TombstoneMarks([KEYS]))
    table = pa.Table.from_batches(
        [rows([trace("t", error_message="tell me"), trace("u", user_id="me")])]
    )
    chosen = short.match_rows("traces", table)
    assert (chosen.own.tolist(), chosen.mention.tolist()) == ([False, True], [False, False])


@pytest.mark.parametrize(
    ("payload", "hit"),
    [
        (b'{"user_id": "mia-4711"}', True),
        (b'{"user_id": "m\\u00eda"}', True),
        ('{"user_id": "mía"}'.encode(), True),
        (b"\x08m\xc3\xada\x02", True),
        (b'{"user_id": "other"}', False),
        (b"amia", False),
    ],
)
def test_ids_in_payloads_of_any_format(payload: bytes, hit: bool) -> None:
    """In JSON, escaped or not, and Avro; a short id with its surroundings."""
    wanted = ErasureScope(Persons.of(["mía", PERSON], [KEYS], []), TombstoneMarks([KEYS]))
    assert any(form in payload for form in wanted.byte_forms) is hit


@given(st.frozensets(st.integers(0, 60)))
def test_offsets_survive_being_written_down(offsets: frozenset[int]) -> None:
    """Runs of offsets are written as such and read back the same."""
    assert parse_spans(format_spans(offsets)) == offsets


def test_nothing_of_others_is_chosen() -> None:
    """Of the world of these tests: the person's rows, and those that mention the person."""
    made = [one for one in records() if one.__class__.__name__ == "Trace"]
    table = pa.Table.from_batches([rows(made)])
    known = WANTED.with_ids(traces=[one.trace_id for one in made if one.user_id == USER])
    chosen = known.match_rows("traces", table)
    ids = np.array(table["trace_id"].to_pylist())
    assert set(ids[chosen.own]) == set(known.traces)
    assert set(ids[chosen.mention]) == {"t02", "t03"}
