"""A release says which documents were right, where the file of its spec does."""

import json
import shutil
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
from batch.release.format.rows import EXPECTED_DOCUMENTS, SCHEMA
from batch.release.publish.build import ReleaseDraft, draft_release, publish_draft
from batch.release.publish.verify import verify_release
from batch.release.sampling.expected_documents import ExpectedDocuments, read_expected_documents
from judges.judged_row import judged_row_of
from lake.objects import FolderStore
from lake.snapshot import open_snapshot
from lake.tables import Lake
from schemas.errors import UsageError
from tests.batch.release.kit import OPTIONS, drafted, open_repository, spec
from tests.batch.release.people import WHOLE, erased, rows_of

FILE = "documents.jsonl"
SPEC: dict[str, Any] = {**WHOLE, "size": 30, EXPECTED_DOCUMENTS: {"file": FILE}}


def line(trace_id: str, *documents: str) -> str:
    """Return a line of the file."""
    return json.dumps({"trace_id": trace_id, "documents": list(documents)}) + "\n"


def read(folder: Path, *lines: str) -> ExpectedDocuments:
    """Return what a file of these lines says."""
    (folder / FILE).write_text("".join(lines))
    documents = read_expected_documents(spec(**SPEC), folder)
    assert documents is not None
    return documents


def drafted_with(lake: Lake, documents: ExpectedDocuments) -> ReleaseDraft:
    """Return the draft of a release with documents."""
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    return draft_release(spec(**SPEC), traces, labels, replace(OPTIONS, documents=documents))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, conversation_lake: Lake) -> Path:
    """A folder with a release in which two rows say which documents were right."""
    folder = tmp_path_factory.mktemp("documents")
    ids = drafted(conversation_lake, **WHOLE | {"size": 30}).rows["trace_id"].to_pylist()
    lines = (line(ids[0], "fees", "bags", "fees"), line(ids[1], "seats"), line("not drawn", "x"))
    draft = drafted_with(conversation_lake, read(folder, *lines))
    publish_draft(draft, open_repository(folder / "out"))
    return folder / "out" / "support" / "1.0.0"


def test_the_rows_say_which_documents_were_right(published: Path) -> None:
    """Each once, in the order of the file; the others say nothing, and a judge reads it so."""
    rows = rows_of(published)
    said = [row["expected_documents"] for row in rows]
    assert said == [["fees", "bags"], ["seats"], *[None] * 28]
    assert judged_row_of(rows[0]).expected_documents == ("fees", "bags")
    assert judged_row_of(rows[2]).expected_documents is None


def test_the_release_verifies_and_says_where_they_are_from(published: Path) -> None:
    """Manifest, contract and lineage have the column and the file."""
    assert verify_release(FolderStore(published), "").problems == []
    manifest = read_manifest((published / MANIFEST).read_bytes())
    facts = manifest["expected_documents"]
    assert (facts["traces"], facts["rows"], len(facts["sha256"])) == (3, 2, 64)
    assert manifest["spec"]["expected_documents"] == {"file": FILE}
    contract = yaml.safe_load((published / CONTRACT).read_text())
    columns = [column["name"] for column in contract["schema"][0]["properties"]]
    assert columns == pq.read_schema(published / DATA).names
    assert EXPECTED_DOCUMENTS in columns
    assert EXPECTED_DOCUMENTS in (published / LINEAGE).read_text()


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
            assert EXPECTED_DOCUMENTS.encode() in b"".join(files.values()), name
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
