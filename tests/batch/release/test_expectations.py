"""A release says which documents and calls were right, where the files of its spec do."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from batch.release.export.formats import EXPORT_FORMATS
from batch.release.format.files import CONTRACT, DATA, LINEAGE, MANIFEST
from batch.release.format.manifest import read_manifest
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import EXPECTED_CALLS, EXPECTED_DOCUMENTS, SCHEMA
from batch.release.publish.build import ReleaseDraft, draft_release, publish_draft
from batch.release.publish.verify import verify_release
from batch.release.sampling.expectations import (
    Expectations,
    read_expected_calls,
    read_expected_documents,
)
from judges.judged_row import ExpectedCall, judged_row_of
from lake.objects import FolderStore
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.errors import UsageError
from schemas.records import ToolCall
from tests.batch.release.kit import OPTIONS, drafted, open_repository, spec
from tests.batch.release.people import WHOLE, erased, rows_of

FILE = "documents.jsonl"
CALLS = "calls.jsonl"
SPEC: dict[str, Any] = {**WHOLE, "size": 30, EXPECTED_DOCUMENTS: {"file": FILE}}


def line(trace_id: str, *documents: str) -> str:
    """Return a line of the file."""
    return json.dumps({"trace_id": trace_id, "documents": list(documents)}) + "\n"


def read(folder: Path, *lines: str) -> Expectations:
    """Return what a file of these lines says."""
    (folder / FILE).write_text("".join(lines))
    documents = read_expected_documents(spec(**SPEC), folder)
    assert documents is not None
    return documents


def calls_line(trace_id: str, *calls: tuple[str, dict[str, Any]]) -> str:
    """Return a line of the file of calls."""
    listed = [{"name": name, "arguments": arguments} for name, arguments in calls]
    return json.dumps({"trace_id": trace_id, "calls": listed}) + "\n"


def read_calls(folder: Path, *lines: str) -> Expectations:
    """Return what a file of these lines says; what holds an @ counts as personal data."""
    (folder / CALLS).write_text("".join(lines))

    def are_redacted(calls: Sequence[list[ToolCall]]) -> list[bool]:
        return [not any("@" in call.arguments for call in each) for each in calls]

    said = read_expected_calls(
        spec(**WHOLE, **{EXPECTED_CALLS: {"file": CALLS}}), folder, are_redacted
    )
    assert said is not None
    return said


def drafted_with(lake: Lake, *said: Expectations) -> ReleaseDraft:
    """Return the draft of a release with documents."""
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    return draft_release(
        spec(**SPEC | {EXPECTED_CALLS: {"file": CALLS}}),
        traces,
        labels,
        replace(OPTIONS, expectations=[*said]),
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, conversation_lake: Lake) -> Path:
    """A folder with a release in which two rows say which documents were right."""
    folder = tmp_path_factory.mktemp("documents")
    ids = drafted(conversation_lake, **WHOLE | {"size": 30}).rows["trace_id"].to_pylist()
    lines = (line(ids[0], "fees", "bags", "fees"), line(ids[1], "seats"), line("not drawn", "x"))
    calls = (calls_line(ids[1], ("refund", {"b": 2, "a": "x"})), calls_line(ids[2]))
    draft = drafted_with(conversation_lake, read(folder, *lines), read_calls(folder, *calls))
    publish_draft(draft, open_repository(folder / "out"))
    return folder / "out" / "support" / "1.0.0"


def test_the_rows_say_which_documents_were_right(published: Path) -> None:
    """Each once, in the order of the file; the others say nothing, and a judge reads it so."""
    rows = rows_of(published)
    said = [row["expected_documents"] for row in rows]
    assert said == [["fees", "bags"], ["seats"], *[None] * 28]
    assert judged_row_of(rows[0]).expected_documents == ("fees", "bags")
    assert judged_row_of(rows[2]).expected_documents is None


def test_the_rows_say_which_calls_were_right(published: Path) -> None:
    """With their arguments as JSON; of one row that none was, and of the others nothing."""
    rows = rows_of(published)
    said = [judged_row_of(row).expected_calls for row in rows]
    assert said == [None, (ExpectedCall("refund", '{"b": 2, "a": "x"}'),), (), *[None] * 27]


def test_the_release_verifies_and_says_where_they_are_from(published: Path) -> None:
    """Manifest, contract and lineage have the column and the file."""
    assert verify_release(FolderStore(published), "").problems == []
    manifest = read_manifest((published / MANIFEST).read_bytes())
    facts = manifest["expected_documents"]
    assert (facts["traces"], facts["rows"], len(facts["sha256"])) == (3, 2, 64)
    assert manifest["spec"]["expected_documents"] == {"file": FILE}
    assert (manifest["expected_calls"]["traces"], manifest["expected_calls"]["rows"]) == (2, 2)
    contract = yaml.safe_load((published / CONTRACT).read_text())
    columns = [column["name"] for column in contract["schema"][0]["properties"]]
    assert columns == pq.read_schema(published / DATA).names
    for name in (EXPECTED_DOCUMENTS, EXPECTED_CALLS):
        assert name in (published / LINEAGE).read_text()
        assert name in columns


@pytest.mark.parametrize("changed", [["fees"], ["fees", "bags", "x"], None])
def test_another_document_is_detected(
    published: Path, tmp_path: Path, changed: list[str] | None
) -> None:
    """The commitment to a row covers what it says of documents."""
    table = read_release_rows((published / DATA).read_bytes())
    index = table.schema.get_field_index(EXPECTED_DOCUMENTS)
    values = [changed, *table[EXPECTED_DOCUMENTS].to_pylist()[1:]]
    field = table.schema.field(index)
    pq.write_table(table.set_column(index, field, pa.array(values, field.type)), tmp_path / DATA)
    for path in published.iterdir():
        if path.name != DATA:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert verify_release(FolderStore(tmp_path), "").problems


def test_every_export_has_them(published: Path) -> None:
    """Under the same name, and no export fails for rows that say nothing."""
    rows = rows_of(published)
    for name, write in EXPORT_FORMATS.items():
        files = write(rows, "support", "1.0.0")
        if name != "huggingface":
            for column in (EXPECTED_DOCUMENTS, EXPECTED_CALLS):
                assert column.encode() in b"".join(files.values()), name
        else:
            parts = [pq.read_table(pa.BufferReader(d)) for f, d in files.items() if "parquet" in f]
            assert sum(len(p[EXPECTED_DOCUMENTS].drop_null()) for p in parts) == 2


def test_an_erased_row_leaves_and_the_rest_verifies(published: Path, tmp_path: Path) -> None:
    """Also in the successor, which has the column as well."""
    shutil.copytree(published.parents[1], tmp_path / "out")
    gone = rows_of(published)[0]["trace_id"]
    erased(open_repository(tmp_path / "out"), [gone], 1)
    for version, rows in (("1.0.0", 29), ("2.0.0", 29)):
        folder = tmp_path / "out" / "support" / version
        found = verify_release(FolderStore(folder), "")
        assert (found.problems, found.rows) == ([], rows)
        said = [row["expected_documents"] for row in rows_of(folder) if row["expected_documents"]]
        assert said == [["seats"]]


def test_without_a_line_for_its_rows_a_release_has_no_such_column(
    conversation_lake: Lake, tmp_path: Path
) -> None:
    """Its rows have the commitments that they have without the file."""
    draft = drafted_with(conversation_lake, read(tmp_path, line("not drawn", "x"), "\n"))
    plain = drafted(conversation_lake, **WHOLE | {"size": 30})
    assert draft.rows.schema == SCHEMA
    assert draft.facts["rows_sha256"] == plain.facts["rows_sha256"]
    assert draft.facts["expected_documents"]["rows"] == 0
    assert EXPECTED_DOCUMENTS not in plain.facts["spec"]


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        '{"trace_id": "t"}',
        '{"trace_id": "t", "documents": []}',
        '{"trace_id": "t", "documents": [""]}',
        '{"trace_id": "t", "documents": ["%s"]}' % ("x" * 513),
        '{"trace_id": "", "documents": ["d"]}',
        '{"trace_id": "t", "documents": "d"}',
        '{"trace_id": "t", "documents": [1]}',
        '{"trace_id": "t", "documents": ["d"], "score": 1}',
        '{"trace_id": "a", "documents": ["d"]}',
        "[" * 100_000,
    ],
)
def test_a_line_that_cannot_be_read_is_refused(tmp_path: Path, wrong: str) -> None:
    """By its number, and never by its content."""
    with pytest.raises(UsageError, match=r"documents\.jsonl, line 2: ") as refused:
        read(tmp_path, line("a", "secret"), wrong)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """With the key of the spec."""
    with pytest.raises(UsageError, match=r"expected_documents\.file: documents\.jsonl cannot"):
        read_expected_documents(spec(**SPEC), tmp_path)
    assert read_expected_documents(spec(**WHOLE), tmp_path) is None


@pytest.mark.parametrize(
    "wrong",
    [
        '{"trace_id": "t"}',
        '{"trace_id": "t", "calls": [{"name": ""}]}',
        '{"trace_id": "t", "calls": [{"name": "f", "arguments": "{}"}]}',
        '{"trace_id": "t", "calls": [{"name": "f", "id": "1"}]}',
        '{"trace_id": "a", "calls": []}',
    ],
)
def test_a_line_of_calls_that_cannot_be_read_is_refused(tmp_path: Path, wrong: str) -> None:
    """By its number, and never by its content."""
    with pytest.raises(UsageError, match=r"calls\.jsonl, line 2: ") as refused:
        read_calls(tmp_path, calls_line("a", ("secret", {})), wrong)
    assert "secret" not in str(refused.value)


def test_calls_with_personal_data_are_refused(tmp_path: Path) -> None:
    """What redaction would change could never equal what the rows hold."""
    lines = calls_line("a", ("find", {})), calls_line("b", ("find", {"email": "ann@example.org"}))
    with pytest.raises(UsageError, match=r"calls\.jsonl, line 2: .*personal data") as refused:
        read_calls(tmp_path, *lines)
    assert "ann" not in str(refused.value)
