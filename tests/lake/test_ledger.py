"""What a commit says about itself is read back as it was written, or not at all."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.ledger import (
    EntryKind,
    Incarnation,
    LedgerEntry,
    SourceRange,
    parse_ledger_entry,
    read_ledger,
)
from lake.table_log import LEDGER_KEY
from schemas.errors import FatalError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
COUNT = st.integers(0, 2**53)
OFFSET = st.integers(0, 2**63 - 1)
RULES = st.dictionaries(TEXT, COUNT, max_size=3)
RANGES = st.builds(
    SourceRange,
    topic=TEXT,
    partition=st.integers(0, 2**31 - 1),
    start=OFFSET,
    end=OFFSET,
    first=st.none() | OFFSET,
    last=st.none() | OFFSET,
    consumed=COUNT,
    stored=COUNT,
    quarantined=COUNT,
    dropped=RULES,
    skipped=RULES,
)
ENTRIES = st.builds(
    LedgerEntry,
    kind=st.sampled_from(EntryKind),
    ranges=st.lists(RANGES, max_size=4),
    incarnations=st.dictionaries(TEXT, st.builds(Incarnation, TEXT, TEXT), max_size=2),
)


@given(ENTRIES)
def test_an_entry_comes_back_as_it_was(entry: LedgerEntry) -> None:
    """Nothing is lost on the way through a commit's metadata."""
    assert parse_ledger_entry(entry.to_metadata()[LEDGER_KEY], origin="here") == entry


def valid() -> dict[str, Any]:
    """Return the JSON of an entry."""
    entry = LedgerEntry(EntryKind.FLUSH, [SourceRange("t", 0, 0, 1, consumed=1, stored=1)])
    body: dict[str, Any] = json.loads(entry.to_metadata()[LEDGER_KEY])
    return body


def test_an_entry_of_a_newer_version_is_not_guessed_at() -> None:
    """The message says which commit it is and what to do."""
    with pytest.raises(FatalError, match=r"table t, version 5: .* version 2.*newer"):
        parse_ledger_entry(json.dumps(valid() | {"v": 2}), origin="table t, version 5")


@pytest.mark.parametrize("missing", ["v", "kind", "ranges", "incarnations"])
def test_an_entry_that_lacks_something_is_damaged(missing: str) -> None:
    """It is an error that names the commit, not an entry with a default in it."""
    body = valid()
    del body[missing]
    with pytest.raises(FatalError, match="here: the ledger entry cannot be read"):
        parse_ledger_entry(json.dumps(body), origin="here")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"x"', '{"v":1,"kind":"other","ranges":[],"incarnations":{}}'],
)
def test_what_is_no_entry_is_damaged(text: str) -> None:
    """Whatever stands there, the error is one that a person can act on."""
    with pytest.raises(FatalError, match="here: the ledger entry cannot be read"):
        parse_ledger_entry(text, origin="here")


def test_commits_of_others_are_passed_over() -> None:
    """Maintenance writes no entries; what is left comes oldest first."""
    mine = LedgerEntry(EntryKind.FLUSH, []).to_metadata()
    history: list[dict[str, Any]] = [{"version": 3, **mine}, {"version": 2}, {"version": 1, **mine}]
    assert [logged.table_version for logged in read_ledger(history, table="t")] == [1, 3]


@given(st.builds(Incarnation, TEXT, TEXT), st.builds(Incarnation, TEXT, TEXT))
def test_incarnations_are_told_apart_by_their_number(one: Incarnation, other: Incarnation) -> None:
    """The number fits Delta's and differs as the ids do, wherever the ids are divided.

    No broker has an id with a null character in it.
    """
    assert 0 <= one.version() < 2**63
    if "\0" not in one.cluster_id + one.topic_id + other.cluster_id + other.topic_id:
        assert (one.version() == other.version()) == (one == other)
