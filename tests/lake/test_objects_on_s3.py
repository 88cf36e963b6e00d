"""What only a real S3 server can show of the store of files."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from lake.s3_store import S3Store
from tests.lake.kit import patience
from tests.servers.s3 import S3


@pytest.fixture
def versioned_bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that keeps every version of an object."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys of other tests
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    bucket = s3.create_bucket()
    s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def kept(s3: S3, bucket: str) -> dict[str, int]:
    """How many versions a bucket has of each key, notes of deletions included."""
    reply = s3.client().list_object_versions(Bucket=bucket)
    found = [item["Key"] for name in ("Versions", "DeleteMarkers") for item in reply.get(name, [])]
    return {key: found.count(key) for key in found}


def test_a_purge_leaves_no_version_of_a_file(s3: S3, versioned_bucket: str) -> None:
    """Written twice, removed, written again: nothing of it is left, and its neighbour is whole."""
    store = S3Store(versioned_bucket, "lake/traces", endpoint_url=s3.endpoint)
    for path in ("a", "a.b"):
        store.put(path, b"first")
        store.put(path, b"second")
        store.remove(path)
        store.put(path, b"third")
    assert kept(s3, versioned_bucket) == {"lake/traces/a": 4, "lake/traces/a.b": 4}
    store.purge("a")
    store.purge("a")
    assert kept(s3, versioned_bucket) == {"lake/traces/a.b": 4}
    assert store.get("a.b") == b"third"


def test_what_a_bucket_hides_can_be_read_and_removed(s3: S3, versioned_bucket: str) -> None:
    """Of a file that was written over and one that was deleted; what is there stays."""
    store = S3Store(versioned_bucket, "lake/traces", endpoint_url=s3.endpoint)
    store.put("over", b"first")
    store.put("over", b"second")
    store.put("gone", b"third")
    store.remove("gone")
    hidden = list(store.hidden(""))
    content = {(h.path, store.get_hidden(h)) for h in hidden if not h.marker}
    assert content == {("over", b"first"), ("gone", b"third")}
    for one in hidden:
        store.remove_hidden(one)
    assert kept(s3, versioned_bucket) == {"lake/traces/over": 1}
    assert store.get("over") == b"second"


def test_uploads_that_never_ended_are_aborted(s3: S3, versioned_bucket: str) -> None:
    """Their parts would lie in the bucket for ever; those elsewhere are left alone."""
    client, store = s3.client(), S3Store(versioned_bucket, "lake", endpoint_url=s3.endpoint)
    for key in ("lake/traces/a", "other/a"):
        upload = client.create_multipart_upload(Bucket=versioned_bucket, Key=key)["UploadId"]
        client.upload_part(
            Bucket=versioned_bucket, Key=key, PartNumber=1, UploadId=upload, Body=b"secret"
        )
    assert store.drop_unfinished("") == 1
    left = client.list_multipart_uploads(Bucket=versioned_bucket).get("Uploads", [])
    assert [upload["Key"] for upload in left] == ["other/a"]


def test_a_new_file_on_s3_is_never_written_over(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server decides who was first, whatever order the requests came in."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys of other tests
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    store = S3Store(s3.create_bucket(), "lake/calibrations", endpoint_url=s3.endpoint)

    def put(number: int) -> bool:
        # A server may ask for patience while several make the same folder.
        return patience().call("putting", lambda: store.put_new("1.json", b"%d" % number))

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(put, range(8)))
    assert sum(won) == 1
    assert store.get("1.json") == b"%d" % won.index(True)
    assert store.put_new("1.json", store.get("1.json"))


def test_a_swap_on_s3_is_for_who_saw_what_is_there(s3: S3, versioned_bucket: str) -> None:
    """The server compares, so of many who swap at once none loses what another swapped in."""
    store = S3Store(versioned_bucket, "lake", endpoint_url=s3.endpoint)
    store.put("words", b"-")
    assert store.swap("words", b"-", b"+ ")
    assert store.swap("words", b"-", b"+ ")
    assert not store.swap("words", b"-", b"* ")
    assert not store.swap("nothing", b"-", b"+ ")

    def add(writer: int) -> None:
        for number in range(4):
            word = b"%d-%d " % (writer, number)
            while not store.swap("words", old := store.get("words"), old + word):
                pass

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(add, range(3)))
    assert len(set(store.get("words").split())) == 13
