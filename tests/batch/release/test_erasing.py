"""A person is erased from releases: nothing of the rows is left, and all other rows verify."""

import json
import shutil
from pathlib import Path
from typing import cast

import pytest
from hypothesis import strategies as st

from batch.release.erasure.criteria import ErasureCriteria
from batch.release.erasure.erase import (
    AffectedVersion,
    ErasedVersion,
    erase_from_releases,
    find_affected_versions,
)
from batch.release.format.erasure_note import read_erasure_note
from batch.release.format.files import CHECKSUMS, DATA, ERASURE_NOTE, MANIFEST, STARTER, WITHDRAWAL
from batch.release.format.rows import ReleaseRow
from batch.release.publish.build import publish_draft
from batch.release.publish.reference import parse_reference
from batch.release.publish.verify import ERASURE_UNDER_WAY, verify_release, withdrawal_mark
from lake.objects import FolderStore
from lake.tables import Lake
from tests.batch.release.kit import built, contents, drafted, open_repository
from tests.batch.release.people import (
    SIGNER,
    WHOLE,
    erased,
    order,
    populated,
    rows_of,
    texts_in,
    values_of,
    wanted,
)
from tests.short_versions import run_examples, short


@pytest.fixture(scope="module")
def published_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two versions of a release, both with a person to erase."""
    place = tmp_path_factory.mktemp("people")
    lake = populated(place / "lake")
    built(lake, place / "out", **WHOLE)
    built(lake, place / "out", **{**WHOLE, "description": "other words"})
    return place / "out"


@pytest.fixture
def people_copy(published_people: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    shutil.copytree(published_people, tmp_path / "out")
    return tmp_path / "out"


def test_nothing_of_an_erased_person_is_left(people_copy: Path) -> None:
    """No id, salt, planted value or pseudonym in any byte of any file; all other rows hold."""
    rows = rows_of(people_copy / "support" / "1.0.0")
    going = [row for row in rows if wanted().match(row)]
    assert len(going) > 2
    assert values_of(going) & set(_found_in(people_copy, values_of(going)))
    told = erase_from_releases(open_repository(people_copy), wanted(), order(1))
    assert _found_in(people_copy, values_of(going)) == []
    own = len(going) - 1
    assert told == [
        ErasedVersion("support", "1.0.0", "published", own, 1, None),
        ErasedVersion("support", "1.0.1", "published", own, 1, "2.0.0"),
    ]
    for version in ("1.0.0", "1.0.1", "2.0.0"):
        verdict = verify_release(
            FolderStore(people_copy / "support" / version), signer=SIGNER.public
        )
        gone = len(going) if version != "2.0.0" else 0
        assert (verdict.ok, verdict.erased, verdict.problems) == (True, gone, [])
        assert verdict.rows == len(rows) - len(going)
        assert rows_of(people_copy / "support" / version) == [
            row for row in rows if row not in going
        ]
    assert open_repository(people_copy).find(parse_reference("support@latest")).version == (2, 0, 0)


def _found_in(out: Path, values: set[str]) -> list[str]:
    texts = [texts_in(path) for path in out.rglob("*") if path.is_file()]
    return [value for value in values if any(value in text for text in texts)]


def test_a_pinned_digest_still_names_the_same_version(
    published_people: Path, people_copy: Path
) -> None:
    """The manifest is untouched, byte by byte; only the files with rows and their note change."""
    erase_from_releases(open_repository(people_copy), wanted(), order(1))
    before, after = contents(published_people), contents(people_copy)
    changed = {path for path in before if before[path] != after[path]}
    names = (DATA, STARTER, CHECKSUMS)
    assert changed == {f"support/{v}/{n}" for v in ("1.0.0", "1.0.1") for n in names}
    for one in open_repository(published_people).versions("support"):
        found = open_repository(people_copy).find(parse_reference(f"support@sha256:{one.digest}"))
        assert (found.version, found.erased) == (one.version, True)


def test_a_repeated_erasure_changes_nothing(people_copy: Path) -> None:
    """A repeated call changes nothing and reports the same; a search finds no rows."""
    before = find_affected_versions(open_repository(people_copy), wanted())
    assert [(f.version, f.state, f.mentions) for f in before] == [
        ("1.0.0", "published", 1),
        ("1.0.1", "published", 1),
    ]
    assert isinstance(before[0], AffectedVersion)
    told = erase_from_releases(open_repository(people_copy), wanted(), order(1))
    once = contents(people_copy)
    assert find_affected_versions(open_repository(people_copy), wanted()) == []
    assert erase_from_releases(open_repository(people_copy), wanted(), order(1)) == told
    assert contents(people_copy) == once


def test_a_person_in_no_release_changes_only_the_fence(
    published_people: Path, people_copy: Path
) -> None:
    """Releases without the person stay as they are, to the byte."""
    assert erased(open_repository(people_copy), ["nobody"], 1) == []
    after = contents(people_copy)
    assert after.pop(".erasures/000001-traces-0-labels-0")
    assert after == contents(published_people)


@pytest.mark.parametrize("examples", short([2, 20], [2]))
def test_the_order_of_erasures_does_not_matter(
    published_people: Path, tmp_path_factory: pytest.TempPathFactory, examples: int
) -> None:
    """Any rows, in any parts, in any order: the same files with rows, and all of it verifies."""

    def check(data: st.DataObject) -> None:
        _erase_in_any_order(published_people, tmp_path_factory.mktemp("any"), data)

    run_examples(examples, check, st.data())


def _erase_in_any_order(published_people: Path, out: Path, data: st.DataObject) -> None:
    ids = [row["trace_id"] for row in rows_of(published_people / "support" / "1.0.0")]
    gone = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=12, unique=True))
    parts = data.draw(st.integers(1, 3))
    for name, steps in (("parts", [gone[i::parts] for i in range(parts)]), ("whole", [gone])):
        shutil.copytree(published_people, out / name)
        for number, step in enumerate(steps, 1):
            erased(open_repository(out / name), step, number)
    for version in ("1.0.0", "1.0.1"):
        verdict = verify_release(FolderStore(out / "parts" / "support" / version))
        assert (verdict.ok, verdict.erased) == (True, len(gone))
        for file in (DATA, STARTER):
            one, other = (out / n / "support" / version / file for n in ("parts", "whole"))
            assert one.read_bytes() == other.read_bytes()
    newest = [max((out / n / "support").glob("[0-9]*")) for n in ("parts", "whole")]
    assert rows_of(newest[0]) == rows_of(newest[1])
    assert verify_release(FolderStore(newest[0])).erased == 0


def test_a_row_missing_without_a_note_is_detected(people_copy: Path) -> None:
    """Rows missing beyond those in the note, restored or changed rows: each is reported."""
    folder = people_copy / "support" / "1.0.0"
    whole = contents(folder)
    ids = [row["trace_id"] for row in rows_of(folder)]
    erased(open_repository(people_copy), ids[:3], 1)
    few = contents(folder)
    erased(open_repository(people_copy), ids[3:4], 2)
    fewer = contents(folder)
    assert verify_release(FolderStore(folder)).ok
    for name in (DATA, STARTER, ERASURE_NOTE, CHECKSUMS):
        (folder / name).write_bytes(few[name])
        assert not verify_release(FolderStore(folder)).ok, name
        (folder / name).write_bytes(fewer[name])
    for files in (whole | {DATA: few[DATA], STARTER: few[STARTER]}, fewer | {ERASURE_NOTE: b"{}"}):
        for name, content in files.items():
            (folder / name).write_bytes(content)
        verdict = verify_release(FolderStore(folder))
        assert not verdict.ok
        assert ERASURE_UNDER_WAY not in verdict.problems


@pytest.mark.parametrize("examples", short([6, 120], [6]))
def test_any_changed_byte_of_an_erased_release_is_detected(
    people_copy: Path, examples: int
) -> None:
    """Also of the note and of the rewritten files."""
    erase_from_releases(open_repository(people_copy), wanted(), order(1))
    folder = people_copy / "support" / "1.0.0"
    run_examples(examples, lambda data: _change_a_byte(folder, data), st.data())


def _change_a_byte(folder: Path, data: st.DataObject) -> None:
    files = contents(folder)
    name = data.draw(st.sampled_from(sorted(files)))
    place = data.draw(st.integers(0, len(files[name]) - 1))
    old = files[name]
    new = bytearray(old)
    new[place] ^= data.draw(st.integers(1, 255))
    try:
        (folder / name).write_bytes(new)
        assert not verify_release(FolderStore(folder)).ok
    finally:
        (folder / name).write_bytes(old)
    assert verify_release(FolderStore(folder)).ok


def test_rows_deleted_by_others_are_reported_with_their_key(people_copy: Path) -> None:
    """A note under another key counts as an erasure, and fails if the operator's is required."""
    folder = people_copy / "support" / "1.0.0"
    ids = [row["trace_id"] for row in rows_of(folder)]
    erased(open_repository(people_copy), ids[:1], 1)
    verdict = verify_release(FolderStore(folder), signer="00" * 32)
    assert (verdict.ok, verdict.erased) == (False, 1)
    assert "another key" in verdict.problems[0]
    told = json.loads((folder / ERASURE_NOTE).read_bytes())
    (folder / ERASURE_NOTE).write_text(json.dumps(told | {"signature": "00" * 64}, indent=1) + "\n")
    assert any("signature" in problem for problem in verify_release(FolderStore(folder)).problems)


def test_withdrawn_versions_lose_the_rows_and_get_no_successor(people_copy: Path) -> None:
    """A withdrawn version is erased too; the successor follows the version in force."""
    here = open_repository(people_copy)
    newest = here.find(parse_reference("support"))
    here.put_new(f"{newest.folder}/{WITHDRAWAL}", withdrawal_mark(newest.digest, "wrong"))
    told = erase_from_releases(here, wanted(), order(1))
    assert [(t.version, t.state, t.successor) for t in told] == [
        ("1.0.0", "published", "2.0.0"),
        ("1.0.1", "withdrawn", None),
    ]
    manifest = json.loads(here.read(here.find(parse_reference("support")), MANIFEST))
    assert manifest["previous"]["version"] == "1.0.0"
    assert manifest["previous"]["changes"]["erased"] == told[0].rows + told[0].mentions
    assert verify_release(FolderStore(people_copy / "support" / "1.0.1")).withdrawn == "wrong"


def test_a_withdrawn_successor_is_not_rebuilt(people_copy: Path) -> None:
    """A withdrawn version gets no successor."""
    here = open_repository(people_copy)
    erase_from_releases(here, wanted(), order(1))
    successor = here.find(parse_reference("support"))
    here.put_new(f"{successor.folder}/{WITHDRAWAL}", withdrawal_mark(successor.digest, "wrong"))
    before = contents(people_copy)
    erase_from_releases(here, wanted(), order(1))
    assert contents(people_copy) == before


def test_a_release_without_rows_has_no_successor(people_copy: Path) -> None:
    """It still verifies: except for all of its rows."""
    ids = [row["trace_id"] for row in rows_of(people_copy / "support" / "1.0.0")]
    told = erased(open_repository(people_copy), ids, 1)
    assert [t.successor for t in told] == [None, None]
    verdict = verify_release(FolderStore(people_copy / "support" / "1.0.1"))
    assert (verdict.ok, verdict.rows, verdict.erased) == (True, 0, len(ids))


def test_the_successor_reports_the_erasure_and_keeps_the_weights(people_copy: Path) -> None:
    """It has the remaining rows and their commitments; its design and pages report the erasure."""
    erase_from_releases(open_repository(people_copy), wanted(), order(7))
    old, new = (
        json.loads((people_copy / "support" / v / MANIFEST).read_bytes())
        for v in ("1.0.1", "2.0.0")
    )
    assert [row for row in old["rows"] if row in new["rows"]] == new["rows"]
    gone = old["row_count"] - new["row_count"]
    assert new["erasures"] == [{"erasure": 7, "of": "1.0.1", "rows": gone}]
    assert sum(s["erased"] for s in new["design"]["strata"]) == gone
    assert sum(s["rows"] for s in new["design"]["strata"]) == new["row_count"]
    sheet = (people_copy / "support" / "2.0.0" / "datasheet.md").read_text()
    assert f"{gone} rows were erased" in sheet
    note = read_erasure_note((people_copy / "support" / "1.0.1" / ERASURE_NOTE).read_bytes()).note
    assert len(note.rows) == gone


def test_traces_that_a_spec_names_are_not_quoted(tmp_path: Path) -> None:
    """Must-include ids are only in files with rows, so erasing removes them everywhere."""
    lake: Lake = populated(tmp_path / "lake")
    first = publish_draft(drafted(lake, **WHOLE), open_repository(tmp_path / "probe"))
    rows = rows_of(tmp_path / "probe" / "support" / str(first.version))
    going = [row for row in rows if wanted().match(row)]
    named = [row["trace_id"] for row in going]
    built(lake, tmp_path / "out", **{**WHOLE, "must_include": named, "size": 20})
    told = erase_from_releases(open_repository(tmp_path / "out"), wanted(), order(1))
    assert told[0].rows + told[0].mentions == len(going)
    assert _found_in(tmp_path / "out", values_of(going)) == []


def test_only_a_complete_mark_is_a_mention() -> None:
    """Marks are found anywhere, also in JSON within JSON; ids are compared as a whole."""
    values = {"trace_id": "t10", "user_id": None, "label_event_id": "e", "response": 'say "<A:b>"'}
    row = cast("ReleaseRow", values)
    assert ErasureCriteria(trace_ids=frozenset({"t1"})).match(row) is None
    assert ErasureCriteria(marks=frozenset({'"<A:b>"'})).match(row) == "mention"
    assert ErasureCriteria(label_events=frozenset({"e"})).match(row) == "mention"
    nested: ReleaseRow = {**row, "response": json.dumps({"a": 'ü"<A:b>"'})}
    assert ErasureCriteria(marks=frozenset({'ü"<A:b>"'})).match(nested) == "mention"
