"""What went wrong is said, and nothing of what stands in a log or a row."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lake.causes import describe_cause
from lake.config import LakeSettings
from lake.tables import Lake
from schemas.errors import FatalError, RetryableError
from tests.lake.kit import append, make_lake
from tests.servers.s3 import S3

LOG = "_delta_log"
FIRST = f"{LOG}/00000000000000000000.json"


def _checkpoint_that_is_not_there(table: Path) -> None:
    (table / LOG / "_last_checkpoint").write_text('{"version":9999,"size":3}')


def _feature(table: Path) -> None:
    lines = (table / FIRST).read_text().splitlines()
    features = {"readerFeatures": ["secretColumn"], "writerFeatures": ["secretColumn"]}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    kept = [line for line in lines if not line.startswith('{"protocol"')]
    (table / FIRST).write_text("\n".join([json.dumps(protocol), *kept]) + "\n")


def _missing_commit(table: Path) -> None:
    (table / LOG / "00000000000000000001.json").unlink()


def _damaged_commit(table: Path) -> None:
    (table / LOG / "00000000000000000001.json").write_text('{"add": {"path": "Jane Roe secret')


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (_checkpoint_that_is_not_there, "_last_checkpoint names a checkpoint that does not exist"),
        (_feature, "the table has the feature secretColumn"),
        (_missing_commit, "the log lacks a commit after 00000000000000000000.json"),
        (_damaged_commit, "a commit in the log is damaged"),
    ],
)
def test_a_table_that_cannot_be_opened(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    """The sentence says which file or feature it is, and what to do where that is known."""
    lake = make_lake(tmp_path)
    for start in (None, 5, 10):
        append(lake.table("feedback"), start, (start or 0) + 5)
    folder = lake.location.folder
    assert folder is not None
    damage(folder / "feedback")
    with pytest.raises(RetryableError, match="feedback failed") as told:
        Lake(LakeSettings(uri=str(folder))).table("feedback")
    assert says in str(told.value)
    assert "Jane" not in str(told.value)


def test_deletion_vectors(tmp_path: Path) -> None:
    """Another program has turned them on: reading says so."""
    lake = make_lake(tmp_path)
    table = lake.table("feedback")
    append(table, None, 5)
    table.handle.alter.set_table_properties({"delta.enableDeletionVectors": "true"})
    table.refresh()
    with pytest.raises(RetryableError, match="feature deletionVectors, which goldpan does not"):
        table.read(["_offset"])


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError("Kernel error -> Generic S3 error"), "OSError: an S3 error"),
        (OSError("x <Code>SlowDown</Code><Message>Ann</Message>"), "OSError: S3 returned SlowDown"),
        (OSError("The operation lacked the necessary privileges to"), "OSError: S3 denies access"),
        (OSError("Upload aborted (os error 28)"), "OSError: No space left on device"),
        (OSError(13, "Permission denied"), "PermissionError: Permission denied"),
        (DeltaError("Jane Roe, 1 Main Street"), "DeltaError"),
        (pa.ArrowInvalid("Cannot cast 'Jane Roe' to int64"), "ArrowInvalid"),
    ],
)
def test_only_what_helps_is_picked_out(error: Exception, says: str) -> None:
    """A text that is not known is not passed on."""
    assert describe_cause(error) == says


def test_a_file_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    """By its name, without where the lake lies."""
    lake = make_lake(tmp_path)
    table = lake.table("feedback")
    append(table, None, 5)
    table.refresh()
    path = str(table.active_files()["path"][0])
    folder = lake.location.folder
    assert folder is not None
    file, name = folder / "feedback" / path, path.rpartition("/")[2]
    file.write_bytes(b"PAR1 Jane")
    with pytest.raises(RetryableError, match=f"{name} is not a Parquet file or is truncated"):
        table.read(["_offset"])
    file.unlink()
    with pytest.raises(RetryableError, match=f"{name} is missing"):
        table.read(["_offset"])
    assert isinstance(table.handle, DeltaTable)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "secret key is wrong"),
        ("AWS_ACCESS_KEY_ID", "nobody", "UserNotFound|access key is not known"),
        ("AWS_SESSION_TOKEN", "wrong", "Token"),
    ],
)
def test_what_s3_says_is_told_by_its_code(
    s3: S3, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """delta-rs says `Generic S3 error` of all of them, so the server is asked once more."""
    uri = s3.new_lake()
    for name, given in s3.env().items():
        monkeypatch.setenv(name, given)
    Lake(LakeSettings(uri=uri, s3_endpoint_url=s3.endpoint)).init(["traces"])
    monkeypatch.setenv(variable, value)
    with pytest.raises((FatalError, RetryableError), match=says):
        Lake(LakeSettings(uri=uri, s3_endpoint_url=s3.endpoint)).table("traces")
