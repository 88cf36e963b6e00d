"""A file searched again by its columns of ids gives what a search of all of it gives."""

from pathlib import Path

import pytest

from batch.erase.file_matches import FileMatches, columns_of_mentions
from batch.erase.persons import Persons
from batch.erase.scope import ErasureScope, collect_coordinates
from batch.erase.tombstone_store import TombstoneMarks
from lake.live_files import list_live_files, read_file_rows
from schemas.arrow import PRIMARY_TABLES
from tests.batch.erase.world import KEYS, OWN, PERSON, SAID, new_world

SCOPE = ErasureScope(Persons.of([PERSON], [KEYS], []), TombstoneMarks([KEYS])).with_ids(
    traces=OWN, feedback=SAID
)
MORE = {
    "a trace": {"mentioning_traces": ["t05", "t19", OWN[0]]},
    "feedback": {"mentioning_feedback": ["f-6", "f-7", SAID[0]]},
    "both": {"mentioning_traces": ["t08"], "mentioning_feedback": ["f-5", "f-9"]},
    "nobody": {"mentioning_traces": ["t-unknown"]},
}


@pytest.mark.parametrize("more", MORE)
def test_later_mentions_are_found_without_reading_the_texts(tmp_path: Path, more: str) -> None:
    """Whatever ids become known later: the same rows, ids and coordinates, in every table."""
    lake, scope, found = new_world(tmp_path / "lake"), SCOPE.with_ids(**MORE[more]), 0
    for name in (*PRIMARY_TABLES, "labels", "reviews"):
        table = lake.table(name)
        for file in list_live_files(table):
            rows = read_file_rows(table, file).rows
            known = FileMatches.of(name, rows, SCOPE.match_rows(name, rows), SCOPE)
            assert known.searched_for(scope)
            some = rows.select(columns_of_mentions(name))
            matched = known.with_mentions(scope.match_rows(name, some))
            whole = scope.match_rows(name, rows)
            assert (matched.own == whole.own).all()
            assert (matched.mention == whole.mention).all()
            again, first = (
                FileMatches.of(name, some, matched, scope),
                FileMatches.of(name, rows, whole, scope),
            )
            assert again.mentioning == first.mentioning
            if name in PRIMARY_TABLES:
                assert again.coordinates == collect_coordinates(rows, whole.either)
            found += len(first.mention) - len(known.mention)
    assert (found > 0) is (more != "nobody")


def test_more_ids_of_the_person_need_another_search(tmp_path: Path) -> None:
    """Texts may contain them."""
    table = new_world(tmp_path / "lake").table("traces")
    rows = read_file_rows(table, list_live_files(table)[0]).rows
    known = FileMatches.of("traces", rows, SCOPE.match_rows("traces", rows), SCOPE)
    assert not known.searched_for(SCOPE.with_ids(traces=["t05"]))
    assert not known.searched_for(SCOPE.with_ids(feedback=["f-5"]))
