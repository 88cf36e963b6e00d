"""On a bucket that keeps versions, none of them holds the person after an erasure."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from batch.gate.kept_answers import KeptAnswer, decode_answers, encode_answers
from batch.gate.run_store import ANSWERS, GateRunStore
from lake.location import LakeLocation
from lake.verify import verify_lake
from tests.batch.erase.world import LOST, WORDS, erasure, new_world
from tests.batch.kit import open_lake
from tests.edges.search import marks_in_folder
from tests.lake.kit import patience
from tests.servers.s3 import S3


@pytest.fixture
def erasure_bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket with versioning, reachable from this process."""
    with monkeypatch.context() as patched:
        patched.setattr(boto3, "DEFAULT_SESSION", None)
        for name, value in s3.env().items():
            if not name.startswith("GOLDPAN_"):
                patched.setenv(name, value)
        bucket = s3.create_bucket()
        s3.client().put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        yield bucket


def every_version(s3: S3, bucket: str, folder: Path) -> Path:
    """Fetch all versions of all objects into a folder."""
    client = s3.client()
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for number, item in enumerate(page.get("Versions", [])):
            reply = client.get_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
            name = item["Key"].replace("/", "_")
            folder.mkdir(exist_ok=True)
            (folder / f"{number}-{name}").write_bytes(reply["Body"].read())
    return folder


def test_no_version_of_an_object_holds_the_person(
    s3: S3, erasure_bucket: str, tmp_path: Path
) -> None:
    """Nor an upload that never ended; again it changes nothing, and the proof holds."""
    uri = f"s3://{erasure_bucket}/lake"
    lake = new_world(uri, s3_endpoint_url=s3.endpoint)
    table = lake.table("traces")
    table.files.put("event_date=2026-11-01/x.parquet", b"not a file that anybody can read")
    table.files.remove("event_date=2026-11-01/x.parquet")
    client = s3.client()
    upload = client.create_multipart_upload(Bucket=erasure_bucket, Key="lake/traces/half")[
        "UploadId"
    ]
    client.upload_part(
        Bucket=erasure_bucket,
        Key="lake/traces/half",
        PartNumber=1,
        UploadId=upload,
        Body=LOST.encode(),
    )
    before = every_version(s3, erasure_bucket, tmp_path / "before")
    (unreadable,) = before.glob("*x.parquet")
    unreadable.unlink()
    assert marks_in_folder(before, WORDS)

    ended = erasure(open_lake(uri, s3.endpoint)).run()
    assert ended.purged.versions > 0
    assert ended.purged.unfinished == 1
    after = every_version(s3, erasure_bucket, tmp_path / "after")
    assert marks_in_folder(after, WORDS) == []
    assert not list(after.glob("*x.parquet"))
    again = erasure(open_lake(uri, s3.endpoint)).run()
    assert (again.already_done, again.receipt) == (True, ended.receipt)
    assert verify_lake(open_lake(uri, s3.endpoint), deep=True).problems == []


def test_no_version_of_removed_answers_is_left(s3: S3, erasure_bucket: str, tmp_path: Path) -> None:
    """Answers that were taken out of a kept run are in no older version of its file either."""
    files = LakeLocation(f"s3://{erasure_bucket}/lake", s3.endpoint).files("evaluations")
    store, name, salt = GateRunStore(files, patience()), "g/0123456789ab/1", "5a" * 16
    data = encode_answers("d" * 64, {"t": salt}, {"candidate": {"t": KeptAnswer("Ask her.")}})
    assert files.put_new(f"{name}/{ANSWERS}", data)
    left, count = decode_answers(data, "d" * 64, ANSWERS).without([salt], lambda _: True)
    assert (count, store.swap_answers(name, data, left)) == (1, True)
    before = every_version(s3, erasure_bucket, tmp_path / "before")
    assert data in [path.read_bytes() for path in before.iterdir()]
    store.purge_answers()
    after = every_version(s3, erasure_bucket, tmp_path / "after")
    assert [path.read_bytes() for path in after.iterdir()] == [left.encode()]
